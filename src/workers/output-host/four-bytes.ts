/** How many bytes are read and written together: as many as fit a number that needs no memory of its own. */
export const WORD_BYTES = 4;

/** Four quotes, and four backslashes. */
export const QUOTES = 0x22222222;
export const BACKSLASHES = 0x5c5c5c5c;

/** Whether one of the four bytes of a word is zero: only those that are borrow from above where no bit was. */
export function hasZeroByte(word: number): boolean {
  return ((word - 0x01010101) & ~word & 0x80808080) !== 0;
}

/** The bytes of a buffer, for reading and writing several at a time. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Bytes that are looked for or written again and again, in words; the last one overlaps the one before. */
export class FixedBytes {
  readonly length: number;
  readonly #places: readonly number[];
  readonly #words: readonly number[];

  /** @throws Error for fewer than four bytes */
  constructor(bytes: Uint8Array) {
    if (bytes.length < WORD_BYTES) throw new Error(`${bytes.length} bytes are too few for a word`);
    this.length = bytes.length;
    const words = Math.ceil(bytes.length / WORD_BYTES);
    this.#places = Array.from({ length: words }, (_, word) =>
      Math.min(word * WORD_BYTES, bytes.length - WORD_BYTES),
    );
    const view = viewOf(bytes);
    this.#words = this.#places.map((place) => view.getInt32(place));
  }

  /** Whether they stand there; there must be as many. */
  isAt(view: DataView, at: number): boolean {
    const places = this.#places;
    const words = this.#words;
    for (let n = 0; n < words.length; n += 1) {
      if (view.getInt32(at + (places[n] ?? 0)) !== words[n]) return false;
    }
    return true;
  }

  /** Writes them there; there must be room. */
  writeTo(view: DataView, at: number): void {
    const places = this.#places;
    const words = this.#words;
    for (let n = 0; n < words.length; n += 1) view.setInt32(at + (places[n] ?? 0), words[n] ?? 0);
  }
}
