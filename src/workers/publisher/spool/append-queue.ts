import { finishRecord, layRecord, recordBytes } from './record-format.js';
import type { SpoolRecord } from './spool-entry.js';

/** What a record is once its document was copied. */
export interface LaidRecord {
  readonly namespace: string;
  readonly points: number;
  /** Where it ends among the bytes of its append. */
  readonly end: number;
}

/** The records of one call of `append`, copied, on their way to the disk. */
export class PendingAppend {
  readonly bytes: Buffer;
  readonly records: readonly LaidRecord[];
  readonly storedAt: number;
  /** Settled when the records are stored, with their ids, or cannot be. */
  readonly stored: Promise<number[]>;
  #resolve: (ids: number[]) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /** @param bytes - exactly as long as `bytesOf` says; the append's own until it is settled */
  constructor(records: readonly SpoolRecord[], bytes: Buffer, storedAt: number) {
    this.bytes = bytes;
    this.storedAt = storedAt;
    this.stored = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    let end = 0;
    this.records = records.map((record) => {
      end = layRecord(this.bytes, end, record, storedAt);
      return { namespace: record.namespace, points: record.points, end };
    });
  }

  static bytesOf(records: readonly SpoolRecord[]): number {
    let bytes = 0;
    for (const record of records) bytes += recordBytes(record);
    return bytes;
  }

  /** Gives the records their ids, from `firstId` on, and the sums of the segment that they go to. */
  finish(firstId: number, salt: number): void {
    let start = 0;
    for (const [number, { end }] of this.records.entries()) {
      finishRecord(this.bytes, start, firstId + number, salt);
      start = end;
    }
  }

  resolve(firstId: number): void {
    this.#resolve(Array.from(this.records, (_, number) => firstId + number));
  }

  reject(error: unknown): void {
    this.#reject(error);
  }
}

/** What waits to be written, in order. */
export class AppendQueue {
  #appends: PendingAppend[] = [];
  #bytes = 0;

  /** Bytes that wait in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#appends.length === 0;
  }

  push(append: PendingAppend): void {
    this.#appends.push(append);
    this.#bytes += append.bytes.length;
  }

  /** The bytes of the next append; undefined when there is none. */
  get nextBytes(): number | undefined {
    return this.#appends[0]?.bytes.length;
  }

  /** Takes the next append, and those behind it as long as all together have at most `bytes`. */
  take(bytes: number): PendingAppend[] {
    let taken = 0;
    let count = 0;
    for (const append of this.#appends) {
      if (count > 0 && taken + append.bytes.length > bytes) break;
      taken += append.bytes.length;
      count += 1;
    }
    this.#bytes -= taken;
    return this.#appends.splice(0, count);
  }
}

/** What `appends` add to a segment at most: records, rows of the footer, acknowledgements, rounding to blocks. */
export function reservationOf(
  appends: readonly PendingAppend[],
  perRecord: number,
  rounding: number,
): number {
  let bytes = rounding;
  for (const append of appends) {
    bytes += append.bytes.length + append.records.length * perRecord;
    for (const { namespace } of append.records) bytes += namespace.length * 6 + 3;
  }
  return bytes;
}
