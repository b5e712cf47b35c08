import type { Output, OutputRecord, Settle } from '../../src/workers/publisher/outputs/output.js';

/** An output whose records the test settles itself. */
export class HeldOutput implements Output {
  /** What it says of its connection. */
  isUp = true;
  isClosed = false;
  readonly held: { record: OutputRecord; settle: Settle }[] = [];

  deliver(record: OutputRecord, settle: Settle): void {
    this.held.push({ record, settle });
  }

  /** The texts of the documents that it holds. */
  get texts(): string[] {
    return this.held.map(({ record }) => record.document.toString());
  }

  /** Settles the oldest; all when no number is given. */
  settle(count = this.held.length, refusal?: string): void {
    for (const { settle } of this.held.splice(0, count)) settle(refusal);
  }

  state() {
    return { state: 'held by the test', isUp: this.isUp, lastError: undefined, retriedRecords: 0 };
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}
