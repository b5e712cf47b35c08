import { RING_WORD, ringHeader } from './layout.js';

/**
 * Lets the reader sleep until a record is written to any lane. Take the mark before looking for records and sleep on
 * that mark afterwards: a record written in between changed the word, and the sleep ends at once.
 */
export class RingWake {
  readonly #header: Int32Array;

  constructor(ring: SharedArrayBuffer) {
    this.#header = ringHeader(ring);
  }

  mark(): number {
    return Atomics.load(this.#header, RING_WORD.wake);
  }

  /** Resolves when something was written, or the sleep was ended by `interrupt`, since the mark was taken. */
  async sleep(mark: number): Promise<void> {
    // No time-out here: each one would leave a timer behind until it ends, thousands a second under load.
    const sleep = Atomics.waitAsync(this.#header, RING_WORD.wake, mark);
    if (sleep.async) await sleep.value;
  }

  /**
   * How long the reader may be left asleep over records that nobody waits for: to wake it costs more than to write a
   * record, and this way one wake-up serves all that are written meanwhile. 0, as in a new ring: not at all.
   */
  setPatience(ms: number): void {
    Atomics.store(this.#header, RING_WORD.patienceMs, ms);
  }

  /** Ends a sleep from the reader's own thread, when there is something else to do. */
  interrupt(): void {
    Atomics.add(this.#header, RING_WORD.wake, 1);
    Atomics.notify(this.#header, RING_WORD.wake);
  }
}
