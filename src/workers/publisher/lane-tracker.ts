import type { LaneReader, RingRecord } from '../../shared/ring/lane-reader.js';

interface Outstanding {
  readonly end: number;
  isSettled: boolean;
}

/**
 * Follows the records of a lane that were read and not settled. Outputs settle in any order; the lane's space is
 * freed in its own order, up to the first record that still waits.
 */
export class LaneTracker {
  readonly #reader: LaneReader;
  readonly #outstanding: Outstanding[] = [];
  #first = 0;

  constructor(reader: LaneReader) {
    this.#reader = reader;
  }

  get reader(): LaneReader {
    return this.#reader;
  }

  /** Call once for every record read, in order. The answer settles it. */
  track(record: RingRecord): () => void {
    const entry: Outstanding = { end: record.end, isSettled: false };
    this.#outstanding.push(entry);
    return () => {
      entry.isSettled = true;
      this.#freeSettled();
    };
  }

  #freeSettled(): void {
    let last: Outstanding | undefined;
    for (
      let entry = this.#outstanding[this.#first];
      entry?.isSettled;
      entry = this.#outstanding[this.#first]
    ) {
      last = entry;
      this.#first += 1;
    }
    if (!last) return;
    this.#reader.settle(last.end);
    this.#dropOld();
  }

  /** Drops what is behind in one go now and then, which costs less than shifting the list each time. */
  #dropOld(): void {
    if (this.#first < 1024 && this.#first < this.#outstanding.length) return;
    this.#outstanding.splice(0, this.#first);
    this.#first = 0;
  }
}
