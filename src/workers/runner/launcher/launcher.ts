import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CodedError, reasonOf } from '../../../shared/coded-error.js';
import { RESOURCE } from '../../../shared/native/abi.js';
import { type CLibrary, errorNameOf, type Memory, type Signatures } from '../../../shared/native/c-library.js';
import { type ChildEnd, childEnd } from '../../../shared/native/process-calls.js';
import type { ResourceLimit } from '../limits/resource-limits.js';
import type { EndTaker, TakenEnd } from '../taken-end.js';

/** What to start, where, as whom, and within which bounds. */
export interface LaunchRequest {
  /** Absolute path. */
  readonly file: string;
  /** The whole list, the program's name in front. */
  readonly args: readonly string[];
  readonly folder: string;
  /** `NAME=value` each, the whole environment. */
  readonly environment: readonly string[];
  /** Undefined: the agent's own. */
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] } | undefined;
  readonly limits: readonly ResourceLimit[];
  /** From -20 to 19; 0: as the agent. */
  readonly nice: number;
  /** Folder of the cgroup (v2) that it is born in; undefined: that of the agent. */
  readonly cgroup: string | undefined;
}

/** A program that has begun. */
export interface Launched {
  readonly pid: number;
  /** The ends to read from, which never block. The caller closes them. */
  readonly stdout: number;
  readonly stderr: number;
  /** Codes of what went wrong with its bounds, which did not keep it from beginning. */
  readonly cgroupError: string | undefined;
  readonly limitsError: string | undefined;
}

interface LauncherFunctions {
  agent_launch(
    numbers: Memory,
    limits: Memory,
    groups: Memory,
    strings: Memory,
    pointers: Memory,
    stack: Memory,
    result: Memory,
  ): void;
  agent_take_end(pid: number, stdout: number, stderr: number, into: Memory, room: number, end: Memory): number;
}

const SIGNATURES: Signatures<keyof LauncherFunctions> = {
  agent_launch: ['void', ['void *', 'void *', 'void *', 'void *', 'void *', 'void *', 'void *']],
  agent_take_end: ['int', ['int', 'int', 'int', 'void *', 'int', 'void *']],
};

/** `enum step` of launcher.c: the call that a start failed at. */
const STEPS = ['', 'pipe2', 'clone', 'setsid', 'open', 'dup3', 'setresuid', 'chdir', 'execve', 'execve'] as const;
const STEP_OF_TIME = 9;
/** `enum number` of launcher.c. */
const NUMBERS = 10;
/** `enum result` of launcher.c. */
const RESULT = { pid: 0, stdout: 1, stderr: 2, failedStep: 3, error: 4, cgroupError: 5, limitsError: 6 } as const;
const RESULTS = 7;
/** `enum end` of launcher.c. */
const END = {
  status: 0,
  userMicroseconds: 1,
  systemMicroseconds: 2,
  maxRssKibibytes: 3,
  stdoutBytes: 4,
  isStdoutOver: 5,
  stderrBytes: 6,
  isStderrOver: 7,
} as const;
const ENDS = 8;

const FILE = fileURLToPath(new URL('launcher.so', import.meta.url));
const STACK_BYTES = 65_536;
const LAST_OUTPUT_BYTES = 65_536;
const NO_GROUPS = new Uint32Array(1);

/**
 * Calls of `launcher.c`, for one thread. It is there where a C compiler was when the agent was built.
 */
export class Launcher implements EndTaker {
  readonly #functions: LauncherFunctions;
  readonly #isOldWay: boolean;
  /** A child is on it until its program begins. */
  readonly #stack = new Uint8Array(STACK_BYTES);
  readonly #numbers = new Int32Array(NUMBERS);
  readonly #result = new Int32Array(RESULTS);
  readonly #end = new Float64Array(ENDS);
  readonly #lastOutput = Buffer.allocUnsafeSlow(LAST_OUTPUT_BYTES);
  #strings = Buffer.allocUnsafeSlow(8192);
  #pointers = new BigUint64Array(256);

  /**
   * @param way 'old': as on kernels before 5.7, on which no process is born in a cgroup
   * @throws CodedError `not-built` or `not-loaded`, with a sentence
   */
  constructor(library: CLibrary, way: 'best' | 'old' = 'best') {
    if (!existsSync(FILE)) {
      throw new CodedError('not-built', 'the launcher is not built, which takes "make build" and a C compiler');
    }
    this.#isOldWay = way === 'old';
    try {
      this.#functions = library.load<LauncherFunctions>(FILE, SIGNATURES);
    } catch (error) {
      throw new CodedError('not-loaded', `the launcher ${FILE} cannot be loaded: ${reasonOf(error)}`);
    }
  }

  /**
   * Starts a program as leader of a session, its stdin empty, and blocks until it has begun.
   * @throws CodedError with the system's code; `null-byte` for text that C cannot hold
   */
  launch(request: LaunchRequest): Launched {
    const { user, limits, nice, args, environment } = request;
    const groups = user?.groups ?? [];
    this.#numbers.set([
      Number(user !== undefined),
      user?.uid ?? 0,
      user?.gid ?? 0,
      groups.length,
      nice,
      limits.length,
      args.length,
      environment.length,
      STACK_BYTES,
      Number(this.#isOldWay),
    ]);
    this.#writeStrings(request);
    this.#functions.agent_launch(
      this.#numbers,
      Float64Array.from(limits.flatMap(({ resource, soft, hard }) => [RESOURCE[resource], soft, hard])),
      groups.length === 0 ? NO_GROUPS : Uint32Array.from(groups),
      this.#strings,
      this.#pointers,
      this.#stack,
      this.#result,
    );
    return this.#launched();
  }

  /**
   * Looks whether a child has ended, and if so ends its group with SIGKILL, takes its end, and reads the rest of its
   * outputs as far as there is room. Never waits.
   * @param outputs descriptors of its stdout and stderr; below zero: not to be read
   * @returns undefined while it lives
   */
  takeEnd(pid: number, [stdout, stderr]: readonly [number, number]): TakenEnd | undefined {
    const end = this.#end;
    const into = this.#lastOutput;
    const state = this.#functions.agent_take_end(pid, stdout, stderr, into, into.length, end);
    if (state === 0) return undefined;
    const at = (place: number): number => end[place] ?? 0;
    const stdoutBytes = at(END.stdoutBytes);
    return {
      end: state < 0 ? undefined : this.#childEnd(),
      outputs: [
        { bytes: into.subarray(0, stdoutBytes), isOver: at(END.isStdoutOver) !== 0 },
        {
          bytes: into.subarray(stdoutBytes, stdoutBytes + at(END.stderrBytes)),
          isOver: at(END.isStderrOver) !== 0,
        },
      ],
    };
  }

  #childEnd(): ChildEnd {
    const at = (place: number): number => this.#end[place] ?? 0;
    return childEnd(at(END.status), {
      userMicroseconds: at(END.userMicroseconds),
      systemMicroseconds: at(END.systemMicroseconds),
      maxRssKibibytes: at(END.maxRssKibibytes),
    });
  }

  #writeStrings({ file, folder, cgroup, args, environment }: LaunchRequest): void {
    const strings = [file, folder, cgroup ?? '', ...args, ...environment];
    if (strings.some((text) => text.includes('\0'))) {
      throw new CodedError('null-byte', 'its parameters or its environment contain null bytes');
    }
    const text = `${strings.join('\0')}\0`;
    // A character of a JavaScript string takes three bytes at most.
    if (3 * text.length > this.#strings.length) this.#strings = Buffer.allocUnsafeSlow(6 * text.length);
    this.#strings.write(text);
    const pointers = args.length + environment.length + 2;
    if (pointers > this.#pointers.length) this.#pointers = new BigUint64Array(2 * pointers);
  }

  #launched(): Launched {
    const at = (place: number): number => this.#result[place] ?? 0;
    const step = at(RESULT.failedStep);
    if (step === STEP_OF_TIME) {
      throw new CodedError('ETIMEDOUT', 'its program did not begin within 5 seconds, and it was ended');
    }
    if (step !== 0) {
      const code = errorNameOf(at(RESULT.error));
      throw new CodedError(code, `${STEPS[step]} failed with ${code}`);
    }
    return {
      pid: at(RESULT.pid),
      stdout: at(RESULT.stdout),
      stderr: at(RESULT.stderr),
      cgroupError: nameOf(at(RESULT.cgroupError)),
      limitsError: nameOf(at(RESULT.limitsError)),
    };
  }
}

function nameOf(error: number): string | undefined {
  return error === 0 ? undefined : errorNameOf(error);
}
