import type { OutputRecord } from '../outputs/output.js';
import type { Secured } from './output-feed.js';

/** Other outputs are kept waiting for a place so long, then it is a loss for this one. */
const PATIENCE_MS = 5000;

interface WaitingRecord {
  readonly record: OutputRecord;
  readonly secured: Secured;
}

/** Records of the ring for which an output has no place, in their order. */
export class WaitingRoom {
  readonly #hasOthers: boolean;
  #records: WaitingRecord[] = [];
  /** Since when no record has found a place, by `performance.now()`. */
  #withoutPlaceSince: number | undefined;

  /** @param hasOthers whether there are other outputs, which would be kept waiting by a ring that is full */
  constructor(hasOthers: boolean) {
    this.#hasOthers = hasOthers;
  }

  get isEmpty(): boolean {
    return this.#records.length === 0;
  }

  get points(): number {
    return this.#records.reduce((sum, { record }) => sum + record.points, 0);
  }

  /** True when the others' patience is over. */
  get isOverdue(): boolean {
    if (!this.#hasOthers || this.#withoutPlaceSince === undefined) return false;
    return performance.now() - this.#withoutPlaceSince >= PATIENCE_MS;
  }

  get next(): WaitingRecord | undefined {
    return this.#records[0];
  }

  add(record: OutputRecord, secured: Secured): void {
    this.#withoutPlaceSince ??= performance.now();
    this.#records.push({ record, secured });
  }

  removeNext(): void {
    this.#records.shift();
  }

  /** A record has found a place: patience begins anew. */
  noteRoom(): void {
    this.#withoutPlaceSince = this.#records.length > 0 ? performance.now() : undefined;
  }

  /** Takes out all. */
  takeAll(): readonly WaitingRecord[] {
    const all = this.#records;
    this.#records = [];
    return all;
  }
}
