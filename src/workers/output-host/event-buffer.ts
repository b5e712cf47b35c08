/** Events that go to the plugin with one call. */
export interface EncodedEvents {
  readonly bytes: Buffer;
  readonly events: number;
}

/** What one flush carries at most, as with Fluent Bit. Bytes. */
export const FLUSH_MOST_BYTES = 2_000_000;

/** Events one after another, cut into pieces that a flush takes. */
export class EventBuffer {
  #bytes: Buffer;
  #length = 0;
  #pieceStart = 0;
  #pieceEvents = 0;
  readonly #pieces: { readonly start: number; readonly end: number; readonly events: number }[] = [];

  /** @param expectedBytes more costs a copy */
  constructor(expectedBytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(expectedBytes);
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Where the next event begins. */
  get length(): number {
    return this.#length;
  }

  /** Makes room for so many bytes behind `length`. */
  ensure(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }

  /** An event was written into `bytes`, from `length` to `end`. */
  add(end: number): void {
    if (end - this.#pieceStart > FLUSH_MOST_BYTES && this.#pieceEvents > 0) this.#cut();
    this.#length = end;
    this.#pieceEvents += 1;
  }

  pieces(): readonly EncodedEvents[] {
    if (this.#pieceEvents > 0) this.#cut();
    return this.#pieces.map(({ start, end, events }) => ({
      bytes: this.#bytes.subarray(start, end),
      events,
    }));
  }

  #cut(): void {
    this.#pieces.push({ start: this.#pieceStart, end: this.#length, events: this.#pieceEvents });
    this.#pieceStart = this.#length;
    this.#pieceEvents = 0;
  }
}
