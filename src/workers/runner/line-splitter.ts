import { BoundedOutput } from './process-output.js';

/** Behind each line. */
export const LINE_END = 0x0a;

/** Whole lines that came with a chunk. */
export interface TakenLines {
  /** Each with its line end, one behind the other; empty when none is complete. */
  readonly bytes: Buffer;
  /** Lines that were longer than the bound and are left out. */
  readonly tooLong: number;
}

const NOTHING = Buffer.alloc(0);

/** Cuts an output into lines. Holds no more of it than the beginning of one line, up to a bound. */
export class LineSplitter {
  readonly #maxBytes: number;
  /** The beginning of a line whose end is still to come; undefined at the beginning of one. */
  #begun: BoundedOutput | undefined;
  /** The rest of a line that was too long is thrown away. */
  #isSkipping = false;

  /** @param maxBytes of a line that goes over more than one chunk */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that are complete with this chunk. What is kept of the chunk is copied. */
  take(chunk: Buffer): TakenLines {
    const rest = this.#isSkipping ? this.#afterSkipped(chunk) : chunk;
    const end = rest.lastIndexOf(LINE_END) + 1;
    const bytes = end === 0 ? NOTHING : Buffer.concat([this.#takeBegun(), rest.subarray(0, end)]);
    return { bytes, tooLong: this.#begin(rest.subarray(end)) };
  }

  /** The last line, when it came without a line end. */
  finish(): Buffer {
    return this.#takeBegun();
  }

  #takeBegun(): Buffer {
    const begun = this.#begun?.bytes ?? NOTHING;
    this.#begun = undefined;
    return begun;
  }

  #begin(bytes: Buffer): number {
    if (bytes.length === 0) return 0;
    this.#begun ??= new BoundedOutput(this.#maxBytes);
    if (this.#begun.append(bytes)) return 0;
    this.#begun = undefined;
    this.#isSkipping = true;
    return 1;
  }

  #afterSkipped(chunk: Buffer): Buffer {
    const end = chunk.indexOf(LINE_END);
    if (end === -1) return NOTHING;
    this.#isSkipping = false;
    return chunk.subarray(end + 1);
  }
}
