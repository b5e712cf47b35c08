import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { CodedError, reasonOf } from '../coded-error.js';
import { type Abi, abiOf } from './abi.js';
import type { DescriptorRow } from './descriptor-ledger.js';

/** Memory that a C function reads or writes. */
export type Memory = NodeJS.TypedArray | null;

/** Strings for a C function, behind the last one null. */
export type CStrings = readonly (string | null)[];

/** Functions of the C library, by their names there. Numbers below zero are failures; `errorName` says which. */
export interface CFunctions {
  pipe2(descriptors: Memory, flags: number): number;
  fcntl(descriptor: number, command: number, argument: number): number;
  read(descriptor: number, into: Memory, bytes: number): number;
  close(descriptor: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, descriptor: number, event: Memory): number;
  epoll_wait(epoll: number, events: Memory, maxEvents: number, timeoutMs: number): number;
  posix_spawn(
    pid: Memory,
    file: string,
    actions: Memory,
    attributes: Memory,
    args: CStrings,
    environment: CStrings,
  ): number;
  posix_spawn_file_actions_init(actions: Memory): number;
  posix_spawn_file_actions_adddup2(actions: Memory, from: number, to: number): number;
  posix_spawn_file_actions_addopen(
    actions: Memory,
    descriptor: number,
    file: string,
    flags: number,
    mode: number,
  ): number;
  posix_spawn_file_actions_addchdir_np(actions: Memory, folder: string): number;
  posix_spawn_file_actions_destroy(actions: Memory): number;
  posix_spawnattr_init(attributes: Memory): number;
  posix_spawnattr_setflags(attributes: Memory, flags: number): number;
  posix_spawnattr_setsigdefault(attributes: Memory, signals: Memory): number;
  posix_spawnattr_setsigmask(attributes: Memory, signals: Memory): number;
  wait4(pid: number, status: Memory, options: number, usage: Memory): number;
  waitid(kind: number, id: number, info: Memory, options: number): number;
  kill(pid: number, signal: number): number;
  setpriority(which: number, id: number, nice: number): number;
  statvfs(path: string, status: Memory): number;
  prctl(option: number, first: number, second: number, third: number, fourth: number): number;
  /** Ends the process at once, with all its threads. */
  _exit(status: number): void;
}

/** C functions, `syscall(2)` in the forms that are needed, and what else belongs to the machine. */
export interface CLibrary {
  readonly abi: Abi;
  readonly functions: CFunctions;
  /** `syscall(2)` with up to four numbers. */
  systemCall(number: number, first: number, second: number, third: number, fourth: number): number;
  /** `syscall(2)` with a number and two places in memory. */
  systemCallMemory(number: number, first: number, second: Memory, third: Memory): number;
  /** `syscall(2)` with places in memory only. */
  systemCallMemories(number: number, first: Memory, second: Memory, third: Memory): number;
  /** `syscall(2)` with two numbers and two places in memory. */
  systemCallPair(number: number, first: number, second: number, third: Memory, fourth: Memory): number;
  /**
   * Functions of another library, by their signatures.
   * @throws when the file is no library for this machine, or one of them is missing
   */
  load<Functions>(file: string, signatures: Signatures<keyof Functions & string>): Functions;
  /** Where the calling thread's descriptors are noted; undefined: nowhere. */
  ledger: DescriptorRow | undefined;
  /** Name of the error of the last call on this thread, `EAGAIN` and the like. Ask at once. */
  errorName(): string;
}

/** The C library, or why it cannot be called here. */
export type CLibraryFound =
  | { readonly library: CLibrary }
  | { readonly library: undefined; readonly problem: string };

/** Types of C functions' results and arguments, in the words of koffi. */
export type Signatures<Name extends string> = Readonly<
  Record<Name, readonly [result: string, args: readonly string[]]>
>;

const SIGNATURES: Signatures<keyof CFunctions> = {
  pipe2: ['int', ['void *', 'int']],
  fcntl: ['int', ['int', 'int', 'int']],
  read: ['long', ['int', 'void *', 'size_t']],
  close: ['int', ['int']],
  epoll_create1: ['int', ['int']],
  epoll_ctl: ['int', ['int', 'int', 'int', 'void *']],
  epoll_wait: ['int', ['int', 'void *', 'int', 'int']],
  posix_spawn: ['int', ['void *', 'str', 'void *', 'void *', 'const char **', 'const char **']],
  posix_spawn_file_actions_init: ['int', ['void *']],
  posix_spawn_file_actions_adddup2: ['int', ['void *', 'int', 'int']],
  posix_spawn_file_actions_addopen: ['int', ['void *', 'int', 'str', 'int', 'uint']],
  posix_spawn_file_actions_addchdir_np: ['int', ['void *', 'str']],
  posix_spawn_file_actions_destroy: ['int', ['void *']],
  posix_spawnattr_init: ['int', ['void *']],
  posix_spawnattr_setflags: ['int', ['void *', 'short']],
  posix_spawnattr_setsigdefault: ['int', ['void *', 'void *']],
  posix_spawnattr_setsigmask: ['int', ['void *', 'void *']],
  wait4: ['int', ['int', 'void *', 'int', 'void *']],
  waitid: ['int', ['int', 'uint', 'void *', 'int']],
  kill: ['int', ['int', 'int']],
  setpriority: ['int', ['int', 'uint', 'int']],
  prctl: ['int', ['int', 'ulong', 'ulong', 'ulong', 'ulong']],
  statvfs: ['int', ['str', 'void *']],
  _exit: ['void', ['int']],
};

/** What a library exports. */
interface Symbols {
  func(name: string, result: string, args: readonly string[]): unknown;
}

/** The part of koffi that is used. */
interface Koffi {
  load(path: string | null): Symbols;
  errno(): number;
}

// EAGAIN is also called EWOULDBLOCK: the first name counts.
const ERROR_NAMES = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, number]) => [number, name]),
);

let found: CLibraryFound | undefined;

/**
 * The C library of this process, looked for at the first call of each thread. That it cannot be called is a value: the
 * agent goes on with what Node.js brings.
 */
export function cLibrary(): CLibraryFound {
  found ??= findLibrary();
  return found;
}

/** The name of an error number, as functions return it that do not set `errno`. */
export function errorNameOf(number: number): string {
  return ERROR_NAMES.get(number) ?? `error ${number}`;
}

/** An error of a C function, its code the name of the error number. */
export function callError(call: string, code: string): CodedError {
  return new CodedError(code, `${call} failed with ${code}`);
}

function findLibrary(): CLibraryFound {
  if (process.platform !== 'linux') return { library: undefined, problem: 'this is not Linux' };
  const abi = abiOf(process.arch);
  if (abi === undefined) {
    return {
      library: undefined,
      problem: `the processor ${process.arch} is not one of those that are known`,
    };
  }
  try {
    // Required and not imported: a thread of the pool loads its code without waiting for promises.
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    return { library: openLibrary(koffi, abi) };
  } catch (error) {
    const [firstLine] = reasonOf(error).split('\n');
    return { library: undefined, problem: `the package koffi does not work here: ${firstLine}` };
  }
}

function openLibrary(koffi: Koffi, abi: Abi): CLibrary {
  // The program itself: Node.js is linked with the C library of the machine, whichever that is.
  const symbols = koffi.load(null);
  const functions = functionsOf<CFunctions>(symbols, SIGNATURES);
  const systemCall = (...args: readonly string[]) => symbols.func('syscall', 'long', ['long', ...args]);
  return {
    abi,
    functions,
    systemCall: systemCall('long', 'long', 'long', 'long') as CLibrary['systemCall'],
    systemCallMemory: systemCall('long', 'void *', 'void *') as CLibrary['systemCallMemory'],
    systemCallMemories: systemCall('void *', 'void *', 'void *') as CLibrary['systemCallMemories'],
    systemCallPair: systemCall('long', 'long', 'void *', 'void *') as CLibrary['systemCallPair'],
    load: (file, signatures) => functionsOf(koffi.load(file), signatures),
    ledger: undefined,
    errorName: () => errorNameOf(koffi.errno()),
  };
}

function functionsOf<Functions>(
  symbols: Symbols,
  signatures: Signatures<keyof Functions & string>,
): Functions {
  const entries = Object.entries<readonly [string, readonly string[]]>(signatures);
  return Object.fromEntries(
    entries.map(([name, [result, args]]) => [name, symbols.func(name, result, args)]),
  ) as Functions;
}
