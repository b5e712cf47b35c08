import type { CLibrary } from '../../shared/native/c-library.js';
import { type ChildEnd, childEnded, takeChildEnd } from '../../shared/native/process-calls.js';

/** How a child ended, and what of its outputs came along with that. */
export interface TakenEnd {
  /** Undefined: there is no such child (any more); somebody else took its end, which nobody here does. */
  readonly end: ChildEnd | undefined;
  /** Of stdout and stderr. */
  readonly outputs: readonly [LastOutput, LastOutput];
}

/** What was read of an output. */
export interface LastOutput {
  /** Good until the next call. */
  readonly bytes: Buffer;
  /** Nothing more will come. When it is false there may be more to read. */
  readonly isOver: boolean;
}

/** A way to take the ends of children. */
export interface EndTaker {
  /**
   * Looks whether a child has ended, and if so ends its group with SIGKILL, takes its end, and may read what is left of
   * its outputs. Never waits.
   * @param outputs descriptors of its stdout and stderr; below zero: not to be read
   * @returns undefined while it lives
   */
  takeEnd(pid: number, outputs: readonly [number, number]): TakenEnd | undefined;
}

const SIGKILL = 9;
const NOTHING_READ: LastOutput = { bytes: Buffer.alloc(0), isOver: false };

/** Takes ends with calls of the C library, and leaves their outputs to be read. */
export class PlainEndTaker implements EndTaker {
  readonly #library: CLibrary;

  constructor(library: CLibrary) {
    this.#library = library;
  }

  takeEnd(pid: number): TakenEnd | undefined {
    const hasEnded = childEnded(this.#library, pid);
    if (hasEnded === false) return undefined;
    // Its number and that of its group are still nobody else's.
    if (hasEnded === true) this.#library.functions.kill(-pid, SIGKILL);
    const end = takeChildEnd(this.#library, pid);
    if (end === undefined) return undefined;
    return { end: end === 'not-ours' ? undefined : end, outputs: [NOTHING_READ, NOTHING_READ] };
  }
}
