/**
 * Which descriptors a thread has opened by calls of its own, in memory that every thread sees. Those of a thread that
 * ends go on being open, as Node.js knows nothing of them: whoever tidies up after it closes what stands here.
 * A row for each thread, a bit for each descriptor.
 */
const DESCRIPTORS_MAX = 65_536;
const BITS = 32;
const WORDS_PER_ROW = DESCRIPTORS_MAX / BITS;

/** Makes an empty ledger with so many rows. */
export function createDescriptorLedger(rows: number): SharedArrayBuffer {
  return new SharedArrayBuffer(rows * WORDS_PER_ROW * Int32Array.BYTES_PER_ELEMENT);
}

/** The calling thread's own row. */
export class DescriptorRow {
  readonly #words: Int32Array;

  constructor(ledger: SharedArrayBuffer, row: number) {
    this.#words = wordsOf(ledger, row);
  }

  /** To be called behind the opening. A number beyond the ledger stays out. */
  opened(descriptor: number): void {
    if (descriptor < DESCRIPTORS_MAX) Atomics.or(this.#words, wordOf(descriptor), bitOf(descriptor));
  }

  /** To be called before the closing: from then on the number may be somebody else's. */
  closing(descriptor: number): void {
    if (descriptor < DESCRIPTORS_MAX) Atomics.and(this.#words, wordOf(descriptor), ~bitOf(descriptor));
  }
}

/** The descriptors that a thread which has ended left open; its row is empty afterwards. */
export function takeLeftDescriptors(ledger: SharedArrayBuffer, row: number): number[] {
  const words = wordsOf(ledger, row);
  const left: number[] = [];
  for (let word = 0; word < WORDS_PER_ROW; word += 1) {
    const bits = Atomics.exchange(words, word, 0);
    for (let bit = 0; bits !== 0 && bit < BITS; bit += 1) {
      if ((bits & (1 << bit)) !== 0) left.push(word * BITS + bit);
    }
  }
  return left;
}

function wordsOf(ledger: SharedArrayBuffer, row: number): Int32Array {
  return new Int32Array(ledger, row * WORDS_PER_ROW * Int32Array.BYTES_PER_ELEMENT, WORDS_PER_ROW);
}

function wordOf(descriptor: number): number {
  return Math.floor(descriptor / BITS);
}

function bitOf(descriptor: number): number {
  return 1 << (descriptor % BITS);
}
