import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CodedError, reasonOf } from '../../../shared/coded-error.js';
import { RESOURCE } from '../../../shared/native/abi.js';
import {
  type CLibrary,
  callError,
  errorNameOf,
  type Memory,
  type Signatures,
} from '../../../shared/native/c-library.js';
import { type ChildEnd, childEnd } from '../../../shared/native/process-calls.js';
import type { FileOwner } from '../file-owners.js';
import type { OwnedProcess, ProcessLook, StartResult, TakenEnd } from '../owned-process.js';
import type { Program } from '../started-process.js';

/** A process that is becoming its program. */
export interface Launched {
  readonly process: OwnedProcess;
  /** The ends to read from, which never block. The caller closes them. */
  readonly stdout: number;
  readonly stderr: number;
}

/** Address of the C side's own memory of a process: a number where it fits. */
type Handle = number | bigint;

interface LauncherFunctions {
  agent_launch(program: Memory, launched: Memory): Handle;
  agent_look(
    process: Handle,
    stdout: number,
    stderr: number,
    into: Memory,
    room: number,
    look: Memory,
  ): number;
  agent_owners(paths: Memory, count: number, notFollowed: number, owners: Memory): number;
}

const SIGNATURES: Signatures<keyof LauncherFunctions> = {
  agent_launch: ['uintptr_t', ['void *', 'void *']],
  agent_look: ['int', ['uintptr_t', 'int', 'int', 'void *', 'int', 'void *']],
  agent_owners: ['int', ['void *', 'int', 'int', 'void *']],
};

/** `enum step` of launcher.c: the call that a start failed at. */
const STEPS = [
  '',
  'malloc',
  'pipe2',
  'clone',
  '',
  'setsid',
  'open',
  'dup3',
  'setresuid',
  'chdir',
  'execve',
] as const;
const STEP_OF_BIRTH = 4;
/** Code of a process that was ended before it came to do anything. */
export const KILLED_AT_BIRTH = 'killed-at-birth';
/** `enum launched` of launcher.c. */
const LAUNCHED = { pid: 0, stdout: 1, stderr: 2, step: 3, error: 4 } as const;
/** `enum look` of launcher.c. */
const LOOK = {
  failedStep: 0,
  error: 1,
  cgroupError: 2,
  limitsError: 3,
  status: 4,
  userMicroseconds: 5,
  systemMicroseconds: 6,
  maxRssKibibytes: 7,
  stdoutBytes: 8,
  isStdoutOver: 9,
  stderrBytes: 10,
  isStderrOver: 11,
  isCgroupEmpty: 12,
} as const;
/** What `agent_look` returns. */
const FOUND = { start: 1, end: 2, notOurs: 4 } as const;

const FILE = fileURLToPath(new URL('launcher.so', import.meta.url));
const LAST_OUTPUT_BYTES = 65_536;
const NOTHING = Buffer.alloc(0);

/** Calls of `launcher.c`, for one thread. It is there where a C compiler was when the agent was built. */
export class Launcher {
  readonly #functions: LauncherFunctions;
  #isOldWay: boolean;
  readonly #packed = new WeakMap<Program, PackedProgram>();
  readonly #paths = new WeakMap<readonly string[], Uint8Array>();
  readonly #launched = new Int32Array(Object.keys(LAUNCHED).length);
  readonly #look = new Float64Array(Object.keys(LOOK).length);
  readonly #lastOutput = Buffer.allocUnsafeSlow(LAST_OUTPUT_BYTES);
  #owners = new Int32Array(32);

  /**
   * @param way 'old': as on kernels before 5.7, on which no process is born in a cgroup
   * @throws CodedError `not-built` or `not-loaded`, with a sentence
   */
  constructor(library: CLibrary, way: 'best' | 'old' = 'best') {
    if (!existsSync(FILE)) {
      throw new CodedError(
        'not-built',
        'the launcher is not built, which takes "make build" and a C compiler',
      );
    }
    this.#isOldWay = way === 'old';
    try {
      this.#functions = library.load<LauncherFunctions>(FILE, SIGNATURES);
    } catch (error) {
      throw new CodedError('not-loaded', `the launcher ${FILE} cannot be loaded: ${reasonOf(error)}`);
    }
  }

  /**
   * Starts a program as leader of a session, its stdin empty. Does not wait until it has begun: looking at the process
   * tells how that came out.
   * @throws CodedError with the system's code when there is no process; `null-byte` for text that C cannot hold
   */
  launch(program: Program): Launched {
    const packed = this.#packed.get(program) ?? this.#pack(program);
    packed.setOldWay(this.#isOldWay);
    const launched = this.#launched;
    const handle = this.#functions.agent_launch(packed.words, launched);
    const failure = failureOf(launched[LAUNCHED.step] ?? 0, launched[LAUNCHED.error] ?? 0);
    if (failure !== undefined) throw failure;
    return {
      process: new LaunchedProcess(this, handle, launched[LAUNCHED.pid] ?? 0),
      stdout: launched[LAUNCHED.stdout] ?? -1,
      stderr: launched[LAUNCHED.stderr] ?? -1,
    };
  }

  /** Whether processes enter their cgroups by themselves. */
  get isOldWay(): boolean {
    return this.#isOldWay;
  }

  /** From now on they do. */
  takeOldWay(): void {
    this.#isOldWay = true;
  }

  /** Looks whose files are; see `OwnersOf`. For every run: it costs a third of what Node.js takes. */
  owners(paths: readonly string[], notFollowed: number): readonly FileOwner[] {
    if (this.#owners.length < 3 * paths.length) this.#owners = new Int32Array(6 * paths.length);
    const owners = this.#owners;
    const error = -this.#functions.agent_owners(this.#textOf(paths), paths.length, notFollowed, owners);
    if (error !== 0) throw callError(`looking at ${paths.join(', ')}`, errorNameOf(error));
    return paths.map((_, index) => ({
      mode: owners[3 * index] ?? 0,
      uid: owners[3 * index + 1] ?? 0,
      gid: owners[3 * index + 2] ?? 0,
    }));
  }

  /** Of a process that was launched here; see `OwnedProcess.look`. */
  lookAt(handle: Handle, [stdout, stderr]: readonly [number, number]): ProcessLook | undefined {
    const into = this.#lastOutput;
    const found = this.#functions.agent_look(handle, stdout, stderr, into, into.length, this.#look);
    if (found === 0) return undefined;
    return {
      start: (found & FOUND.start) === 0 ? undefined : this.#startResult(),
      end: (found & FOUND.end) === 0 ? undefined : this.#takenEnd((found & FOUND.notOurs) !== 0),
    };
  }

  /** Most programs are started again and again. */
  #pack(program: Program): PackedProgram {
    const packed = new PackedProgram(program);
    this.#packed.set(program, packed);
    return packed;
  }

  #textOf(paths: readonly string[]): Uint8Array {
    const known = this.#paths.get(paths);
    if (known !== undefined) return known;
    const text = textOf(paths);
    this.#paths.set(paths, text);
    return text;
  }

  #startResult(): StartResult {
    const look = this.#look;
    return {
      failure: failureOf(look[LOOK.failedStep] ?? 0, look[LOOK.error] ?? 0),
      cgroupError: nameOf(look[LOOK.cgroupError] ?? 0),
      limitsError: nameOf(look[LOOK.limitsError] ?? 0),
    };
  }

  #takenEnd(isNotOurs: boolean): TakenEnd {
    const look = this.#look;
    const stdoutBytes = look[LOOK.stdoutBytes] ?? 0;
    const bytes = stdoutBytes + (look[LOOK.stderrBytes] ?? 0);
    return {
      end: isNotOurs ? undefined : this.#childEnd(),
      isCgroupEmpty: look[LOOK.isCgroupEmpty] !== 0,
      outputs: [
        { bytes: this.#read(0, stdoutBytes), isOver: look[LOOK.isStdoutOver] !== 0 },
        { bytes: this.#read(stdoutBytes, bytes), isOver: look[LOOK.isStderrOver] !== 0 },
      ],
    };
  }

  #childEnd(): ChildEnd {
    const look = this.#look;
    return childEnd(look[LOOK.status] ?? 0, {
      userMicroseconds: look[LOOK.userMicroseconds] ?? 0,
      systemMicroseconds: look[LOOK.systemMicroseconds] ?? 0,
      maxRssKibibytes: look[LOOK.maxRssKibibytes] ?? 0,
    });
  }

  #read(begin: number, end: number): Buffer {
    return begin === end ? NOTHING : this.#lastOutput.subarray(begin, end);
  }
}

/** `enum number` of launcher.c. */
const NUMBERS = 10;
const IS_OLD_WAY = 9;
const NUMBERS_BYTES = NUMBERS * Int32Array.BYTES_PER_ELEMENT;
const LIMIT_BYTES = 3 * Float64Array.BYTES_PER_ELEMENT;
const GROUP_BYTES = Uint32Array.BYTES_PER_ELEMENT;

/** A program in the form in which `agent_launch` takes it. */
class PackedProgram {
  readonly words: Int32Array;

  /** @throws CodedError `null-byte` */
  constructor({ file, args, folder, environment, user, limits, nice, cgroup }: Program) {
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    const text = textOf([file, folder, cgroup ?? '', file, ...args, ...variables]);
    const groups = user?.groups ?? [];
    const groupsAt = NUMBERS_BYTES + limits.length * LIMIT_BYTES;
    const textAt = groupsAt + groups.length * GROUP_BYTES;
    const words = Math.ceil((textAt + text.length) / Int32Array.BYTES_PER_ELEMENT);
    const memory = new ArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT);
    this.words = new Int32Array(memory);
    this.words.set([
      Number(user !== undefined),
      user?.uid ?? 0,
      user?.gid ?? 0,
      groups.length,
      nice,
      limits.length,
      1 + args.length,
      variables.length,
      text.length,
    ]);
    const numbers = limits.flatMap(({ resource, soft, hard }) => [RESOURCE[resource], soft, hard]);
    new Float64Array(memory, NUMBERS_BYTES, numbers.length).set(numbers);
    new Uint32Array(memory, groupsAt, groups.length).set(groups);
    new Uint8Array(memory, textAt).set(text);
  }

  setOldWay(isOldWay: boolean): void {
    this.words[IS_OLD_WAY] = Number(isOldWay);
  }
}

/** Strings with a null byte behind each. */
function textOf(strings: readonly string[]): Uint8Array {
  if (strings.some((text) => text.includes('\0'))) {
    throw new CodedError('null-byte', 'its parameters or its environment contain null bytes');
  }
  return Buffer.from(`${strings.join('\0')}\0`);
}

class LaunchedProcess implements OwnedProcess {
  readonly pid: number;
  readonly #launcher: Launcher;
  readonly #handle: Handle;
  #isStarting = true;

  constructor(launcher: Launcher, handle: Handle, pid: number) {
    this.#launcher = launcher;
    this.#handle = handle;
    this.pid = pid;
  }

  get isStarting(): boolean {
    return this.#isStarting;
  }

  look(outputs: readonly [number, number]): ProcessLook | undefined {
    const found = this.#launcher.lookAt(this.#handle, outputs);
    if (found?.start !== undefined) this.#isStarting = false;
    return found;
  }
}

function failureOf(step: number, error: number): CodedError | undefined {
  if (step === 0) return undefined;
  if (step === STEP_OF_BIRTH) {
    return new CodedError(KILLED_AT_BIRTH, 'it was ended by SIGKILL before its program began');
  }
  return callError(STEPS[step] ?? 'a call', errorNameOf(error));
}

function nameOf(error: number): string | undefined {
  return error === 0 ? undefined : errorNameOf(error);
}
