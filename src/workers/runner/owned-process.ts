import type { CLibrary } from '../../shared/native/c-library.js';
import { type ChildEnd, childEnded, takeChildEnd } from '../../shared/native/process-calls.js';

/** A child of the agent whose end is to be taken here, and nowhere else. */
export interface OwnedProcess {
  readonly pid: number;
  /** Whether `look` still has to tell how the start came out. */
  readonly isStarting: boolean;
  /**
   * Looks how it fares, and when it has ended, ends its group with SIGKILL, takes its end, and may read what is left of
   * its outputs. Never waits. To be called no more once it has told of the end.
   * @param outputs descriptors of its stdout and stderr; below zero: not to be read
   * @returns undefined when there is nothing new
   */
  look(outputs: readonly [number, number]): ProcessLook | undefined;
}

/** What is new of a process. */
export interface ProcessLook {
  /** How its start came out: told once, of those that were starting. */
  readonly start?: StartResult | undefined;
  readonly end: TakenEnd | undefined;
}

/** How the start of a process came out. */
export interface StartResult {
  /** Why its program did not begin: CodedError with the system's code. */
  readonly failure: Error | undefined;
  /** Codes of what went wrong with its bounds, without which it runs. */
  readonly cgroupError: string | undefined;
  readonly limitsError: string | undefined;
}

/** How a process ended, and what of its outputs came along with that. */
export interface TakenEnd {
  /** Undefined: there is no such child (any more); somebody else took its end, which nobody here does. */
  readonly end: ChildEnd | undefined;
  /** Nothing was left in its cgroup, if it has one; undefined: not looked. */
  readonly isCgroupEmpty: boolean | undefined;
  /** Of stdout and stderr. */
  readonly outputs: readonly [LastOutput, LastOutput];
}

/** What was read of an output. */
export interface LastOutput {
  /** Good until the next look at any process. */
  readonly bytes: Buffer;
  /** Nothing more will come. When it is false there may be more to read. */
  readonly isOver: boolean;
}

const SIGKILL = 9;
const NOTHING_READ: LastOutput = { bytes: Buffer.alloc(0), isOver: false };

/** A process that runs already, looked after with calls of the C library; its outputs are left to be read. */
export class PlainProcess implements OwnedProcess {
  readonly pid: number;
  readonly isStarting = false;
  readonly #library: CLibrary;

  constructor(library: CLibrary, pid: number) {
    this.#library = library;
    this.pid = pid;
  }

  look(): ProcessLook | undefined {
    const hasEnded = childEnded(this.#library, this.pid);
    if (hasEnded === false) return undefined;
    // Its number and that of its group are still nobody else's.
    if (hasEnded === true) this.#library.functions.kill(-this.pid, SIGKILL);
    const end = takeChildEnd(this.#library, this.pid);
    if (end === undefined) return undefined;
    const outputs = [NOTHING_READ, NOTHING_READ] as const;
    return { end: { end: end === 'not-ours' ? undefined : end, isCgroupEmpty: undefined, outputs } };
  }
}
