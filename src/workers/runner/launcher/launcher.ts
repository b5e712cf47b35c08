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
import { childEnd } from '../../../shared/native/process-calls.js';
import type { FileOwner } from '../file-owners.js';
import type { ResourceLimit } from '../limits/resource-limits.js';
import type { OwnedProcess, ProcessLook, StartResult, TakenEnd } from '../owned-process.js';

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
  readonly user:
    | { readonly uid: number; readonly gid: number; readonly groups: readonly number[] }
    | undefined;
  readonly limits: readonly ResourceLimit[];
  /** From -20 to 19; 0: as the agent. */
  readonly nice: number;
  /** Folder of the cgroup (v2) that it is born in; undefined: that of the agent. */
  readonly cgroup: string | undefined;
}

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
  agent_launch(numbers: Memory, limits: Memory, groups: Memory, strings: Memory, launched: Memory): Handle;
  agent_look(
    process: Handle,
    stdout: number,
    stderr: number,
    into: Memory,
    room: number,
    look: Memory,
  ): number;
  agent_owners(paths: Memory, count: number, owners: Memory): number;
}

const SIGNATURES: Signatures<keyof LauncherFunctions> = {
  agent_launch: ['uintptr_t', ['void *', 'void *', 'void *', 'void *', 'void *']],
  agent_look: ['int', ['uintptr_t', 'int', 'int', 'void *', 'int', 'void *']],
  agent_owners: ['int', ['void *', 'int', 'void *']],
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
/** Members of `enum number` of launcher.c. */
const NUMBERS = 10;
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
/** A character of a JavaScript string takes three bytes at most. */
const BYTES_PER_CHARACTER = 3;

/** Calls of `launcher.c`, for one thread. It is there where a C compiler was when the agent was built. */
export class Launcher {
  readonly #functions: LauncherFunctions;
  #isOldWay: boolean;
  readonly #numbers = new Int32Array(NUMBERS);
  readonly #launched = new Int32Array(Object.keys(LAUNCHED).length);
  readonly #look = new Float64Array(Object.keys(LOOK).length);
  readonly #lastOutput = Buffer.allocUnsafeSlow(LAST_OUTPUT_BYTES);
  #strings = Buffer.allocUnsafeSlow(8192);
  #limits = new Float64Array(32);
  #groups = new Uint32Array(64);
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
      this.#write([request.file, request.folder, request.cgroup ?? '', ...args, ...environment]),
      Number(this.#isOldWay),
    ]);
    this.#writeLimits(limits);
    this.#writeGroups(groups);
    const handle = this.#functions.agent_launch(
      this.#numbers,
      this.#limits,
      this.#groups,
      this.#strings,
      this.#launched,
    );
    const at = (place: number): number => this.#launched[place] ?? 0;
    const failure = failureOf(at(LAUNCHED.step), at(LAUNCHED.error));
    if (failure !== undefined) throw failure;
    const process = new LaunchedProcess(at(LAUNCHED.pid), (outputs) => this.#lookAt(handle, outputs));
    return { process, stdout: at(LAUNCHED.stdout), stderr: at(LAUNCHED.stderr) };
  }

  /** From now on processes enter their cgroups by themselves. False: they do so already. */
  takeOldWay(): boolean {
    if (this.#isOldWay) return false;
    this.#isOldWay = true;
    return true;
  }

  /** Looks whose files are; see `OwnersOf`. For every run: it costs a third of what Node.js takes. */
  owners(paths: readonly string[]): readonly FileOwner[] {
    if (this.#owners.length < 3 * paths.length) this.#owners = new Int32Array(6 * paths.length);
    this.#write(paths);
    const error = -this.#functions.agent_owners(this.#strings, paths.length, this.#owners);
    if (error !== 0) throw callError(`looking at ${paths.join(', ')}`, errorNameOf(error));
    const at = (place: number): number => this.#owners[place] ?? 0;
    return paths.map((_, index) => ({ mode: at(3 * index), uid: at(3 * index + 1), gid: at(3 * index + 2) }));
  }

  #lookAt(handle: Handle, [stdout, stderr]: readonly [number, number]): ProcessLook | undefined {
    const into = this.#lastOutput;
    const found = this.#functions.agent_look(handle, stdout, stderr, into, into.length, this.#look);
    if (found === 0) return undefined;
    return {
      start: (found & FOUND.start) === 0 ? undefined : this.#startResult(),
      end: (found & FOUND.end) === 0 ? undefined : this.#takenEnd((found & FOUND.notOurs) !== 0),
    };
  }

  #startResult(): StartResult {
    const at = (place: number): number => this.#look[place] ?? 0;
    return {
      failure: failureOf(at(LOOK.failedStep), at(LOOK.error)),
      cgroupError: nameOf(at(LOOK.cgroupError)),
      limitsError: nameOf(at(LOOK.limitsError)),
    };
  }

  #takenEnd(isNotOurs: boolean): TakenEnd {
    const at = (place: number): number => this.#look[place] ?? 0;
    const stdoutBytes = at(LOOK.stdoutBytes);
    const usage = {
      userMicroseconds: at(LOOK.userMicroseconds),
      systemMicroseconds: at(LOOK.systemMicroseconds),
      maxRssKibibytes: at(LOOK.maxRssKibibytes),
    };
    return {
      end: isNotOurs ? undefined : childEnd(at(LOOK.status), usage),
      isCgroupEmpty: at(LOOK.isCgroupEmpty) !== 0,
      outputs: [
        { bytes: this.#lastOutput.subarray(0, stdoutBytes), isOver: at(LOOK.isStdoutOver) !== 0 },
        {
          bytes: this.#lastOutput.subarray(stdoutBytes, stdoutBytes + at(LOOK.stderrBytes)),
          isOver: at(LOOK.isStderrOver) !== 0,
        },
      ],
    };
  }

  #writeLimits(limits: readonly ResourceLimit[]): void {
    if (this.#limits.length < 3 * limits.length) this.#limits = new Float64Array(3 * limits.length);
    let at = 0;
    for (const { resource, soft, hard } of limits) {
      this.#limits[at] = RESOURCE[resource];
      this.#limits[at + 1] = soft;
      this.#limits[at + 2] = hard;
      at += 3;
    }
  }

  #writeGroups(groups: readonly number[]): void {
    if (this.#groups.length < groups.length) this.#groups = new Uint32Array(groups.length);
    this.#groups.set(groups);
  }

  /** Writes strings with a null byte behind each; returns their bytes. */
  #write(strings: readonly string[]): number {
    if (strings.some((text) => text.includes('\0'))) {
      throw new CodedError('null-byte', 'its parameters or its environment contain null bytes');
    }
    const text = `${strings.join('\0')}\0`;
    const bytesMax = BYTES_PER_CHARACTER * text.length;
    if (bytesMax > this.#strings.length) this.#strings = Buffer.allocUnsafeSlow(2 * bytesMax);
    return this.#strings.write(text);
  }
}

class LaunchedProcess implements OwnedProcess {
  readonly pid: number;
  readonly look: OwnedProcess['look'];
  #isStarting = true;

  constructor(pid: number, look: OwnedProcess['look']) {
    this.pid = pid;
    this.look = (outputs) => {
      const found = look(outputs);
      if (found?.start !== undefined) this.#isStarting = false;
      return found;
    };
  }

  get isStarting(): boolean {
    return this.#isStarting;
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
