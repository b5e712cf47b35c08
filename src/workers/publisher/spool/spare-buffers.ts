/** Smaller ones cost nothing to make. Bytes. */
const LEAST_BYTES = 16 * 1024;

/** Kept for the next ones, together. Bytes. */
const KEPT_BYTES = 8 * 1024 * 1024;

/**
 * Buffers that are used again: the system gives memory for a large one page by page, which costs more than filling
 * it does.
 */
export class SpareBuffers {
  readonly #spare = new Map<number, Buffer[]>();
  #keptBytes = 0;

  /** A buffer of `bytes`, with anything in it. */
  take(bytes: number): Buffer {
    if (bytes < LEAST_BYTES) return Buffer.allocUnsafe(bytes);
    const size = sizeFor(bytes);
    const spare = this.#spare.get(size)?.pop();
    if (spare) this.#keptBytes -= size;
    return (spare ?? Buffer.allocUnsafeSlow(size)).subarray(0, bytes);
  }

  /** Gives back what `take` gave. Nobody may use it any more. */
  giveBack(buffer: Buffer): void {
    const size = buffer.buffer.byteLength;
    if (buffer.length < LEAST_BYTES || this.#keptBytes + size > KEPT_BYTES) return;
    const spare = this.#spare.get(size);
    if (spare) spare.push(Buffer.from(buffer.buffer));
    else this.#spare.set(size, [Buffer.from(buffer.buffer)]);
    this.#keptBytes += size;
  }
}

/** The next power of two, or half way to it. */
function sizeFor(bytes: number): number {
  const power = 2 ** Math.ceil(Math.log2(bytes));
  return bytes <= (power / 4) * 3 ? (power / 4) * 3 : power;
}
