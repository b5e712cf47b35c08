const TAIL_BYTES = 16 * 1024;
const NOTHING = Buffer.alloc(0);

/** The whole of an output up to a bound, in one buffer: many small writes cost no more than one large one. */
export class BoundedOutput {
  readonly #maxBytes: number;
  #buffer: Buffer = NOTHING;
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What was kept. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Keeps as much of the chunk as the bound allows; false when something was left out. */
  append(chunk: Buffer): boolean {
    const taken = Math.min(chunk.length, this.#maxBytes - this.#length);
    this.#makeRoom(this.#length + taken);
    chunk.copy(this.#buffer, this.#length, 0, taken);
    this.#length += taken;
    return taken === chunk.length;
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const grown = Math.min(this.#maxBytes, Math.max(bytes, 2 * this.#buffer.length));
    const buffer = Buffer.allocUnsafe(grown);
    this.#buffer.copy(buffer, 0, 0, this.#length);
    this.#buffer = buffer;
  }
}

/** The last 16 KiB of an output of any length. */
export class OutputTail {
  /** Twice the tail, so that what is kept moves to the front once per 16 KiB and not with every chunk. */
  #buffer: Buffer = NOTHING;
  #length = 0;

  append(chunk: Buffer): void {
    if (this.#buffer.length === 0) this.#buffer = Buffer.allocUnsafe(2 * TAIL_BYTES);
    if (chunk.length >= TAIL_BYTES) {
      chunk.copy(this.#buffer, 0, chunk.length - TAIL_BYTES);
      this.#length = TAIL_BYTES;
      return;
    }
    if (this.#length + chunk.length > this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#length - TAIL_BYTES, this.#length);
      this.#length = TAIL_BYTES;
    }
    chunk.copy(this.#buffer, this.#length);
    this.#length += chunk.length;
  }

  get text(): string {
    return this.#length === 0 ? '' : endOfText(this.#buffer.subarray(0, this.#length));
  }
}

/** The last 16 KiB of UTF-8 text, from the first whole character on; what is no UTF-8 is replaced. */
export function endOfText(bytes: Buffer): string {
  if (bytes.length <= TAIL_BYTES) return bytes.toString('utf8');
  const start = bytes.length - TAIL_BYTES;
  let first = start;
  while (first < start + 3 && isContinuation(bytes[first])) first += 1;
  return bytes.toString('utf8', first);
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
