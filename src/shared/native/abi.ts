/**
 * What the kernel and the C libraries of Linux agree on with their callers: numbers, flags, sizes and places in
 * structs. All of it that the agent knows stands here, for 64-bit x86 and ARM with glibc or musl.
 */

/** What differs between processors. */
export interface Abi {
  /** Numbers of system calls, for those that have no fitting function in the C library. */
  readonly systemCall: {
    readonly getgroups: number;
    readonly setgroups: number;
    readonly setresgid: number;
    readonly setresuid: number;
    readonly capget: number;
    readonly capset: number;
    readonly prlimit64: number;
    readonly pidfdOpen: number;
  };
  /** Bytes of `struct epoll_event`, and where its data begins: packed on x86-64 only. */
  readonly epollEvent: { readonly bytes: number; readonly dataAt: number };
}

const ABIS: Readonly<Record<string, Abi>> = {
  x64: {
    systemCall: {
      getgroups: 115,
      setgroups: 116,
      setresgid: 119,
      setresuid: 117,
      capget: 125,
      capset: 126,
      prlimit64: 302,
      pidfdOpen: 434,
    },
    epollEvent: { bytes: 12, dataAt: 4 },
  },
  arm64: {
    systemCall: {
      getgroups: 158,
      setgroups: 159,
      setresgid: 149,
      setresuid: 147,
      capget: 90,
      capset: 91,
      prlimit64: 261,
      pidfdOpen: 434,
    },
    epollEvent: { bytes: 16, dataAt: 8 },
  },
};

/** The numbers of a processor, by Node's name for it; undefined for one that is not known here. */
export function abiOf(arch: string): Abi | undefined {
  return ABIS[arch];
}

/**
 * Memory to hand to the C library, in bytes: at least what the largest of the known libraries takes
 * (glibc and musl: `posix_spawnattr_t` 336, `posix_spawn_file_actions_t` 80, `sigset_t` 128; `struct rusage` 144 in
 * glibc and the kernel, 272 in musl; `struct statvfs` 112).
 */
export const STRUCT_BYTES = {
  spawnAttributes: 512,
  spawnFileActions: 256,
  signalSet: 128,
  resourceUsage: 288,
  fileSystemStatus: 128,
} as const;

/** `siginfo_t`: its bytes, and the 32-bit word of the pid, behind three words and a gap. */
export const SIGNAL_INFO = { bytes: 128, pidWord: 4 } as const;

/** 64-bit words of `struct rusage`. */
export const USAGE_WORD = {
  userSeconds: 0,
  userMicroseconds: 1,
  systemSeconds: 2,
  systemMicroseconds: 3,
  maxRssKibibytes: 4,
} as const;

/** 64-bit words of `struct statvfs`. */
export const FILE_SYSTEM_WORD = { fragmentBytes: 1 } as const;

/** Flags of `posix_spawnattr_setflags`. */
export const SPAWN_FLAG = { setSignalDefaults: 0x04, setSignalMask: 0x08, setSession: 0x80 } as const;

/** Options of `wait4`. */
export const WAIT_NO_HANG = 1;

/** Options of `prctl`. */
export const PROCESS_CONTROL = {
  setChildSubreaper: 36,
  setNoNewPrivileges: 38,
  ambientCapabilities: 47,
} as const;

/** `PR_CAP_AMBIENT_CLEAR_ALL`. */
export const AMBIENT_CLEAR_ALL = 4;

/**
 * Capabilities of a thread, for `capget` and `capset`: a header of version and thread (0 = the calling one), and two
 * rows of three words, of which those at `inheritableWords` are what programs may inherit.
 */
export const CAPABILITIES = { version: 0x20080522, words: 6, inheritableWords: [2, 5] } as const;

/** Flags of files. */
export const FILE_FLAG = { nonBlocking: 0o4000, closeOnExec: 0o2000000 } as const;

/** Commands of `fcntl`. */
export const FILE_CONTROL = { setDescriptorFlags: 2, setStatusFlags: 4 } as const;

/** Operations of `epoll_ctl`, and bits of its events. */
export const EPOLL = { add: 1, remove: 2, readable: 0x001 } as const;

/** Kinds of `waitid` ids and its options: all children, exited ones, not taken away. */
export const WAIT_ID = { all: 0, process: 1, exited: 4, noWait: 0x01000000 } as const;

/** `which` of `setpriority`. */
export const PRIORITY_PROCESS = 0;

/** What `prlimit` can bound. The numbers are the same on both processors. */
export const RESOURCE = {
  /** Seconds of processor time. */
  cpu: 0,
  /** Bytes of a file that is written. */
  fileSize: 1,
  /** Bytes of a core file. */
  core: 4,
  /** Processes and threads of the user. */
  processes: 6,
  /** Open files. */
  openFiles: 7,
  /** Bytes of address space. */
  addressSpace: 9,
} as const;

/** One of them. */
export type Resource = keyof typeof RESOURCE;

/** No bound (`RLIM_INFINITY`). */
export const UNLIMITED = 2n ** 64n - 1n;
