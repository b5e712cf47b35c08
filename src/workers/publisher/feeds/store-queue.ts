import type { OutputRecord } from '../outputs/output.js';
import { recordBytes } from '../spool/record-format.js';
import type { SpoolDisk } from './spool-disk.js';

/** Bytes of one append; small enough that its records are soon stored, large enough to share a sync. */
const BATCH_MOST_BYTES = 4 * 1024 * 1024;

/** Handed over to the disk and not stored yet: beyond, nothing more should come. Bytes. */
const STORING_MOST_BYTES = 32 * 1024 * 1024;

interface Storing {
  readonly record: OutputRecord;
  readonly stored: (id: number | undefined) => void;
}

/** Brings records to the disk, those of one turn of the event loop together. */
export class StoreQueue {
  /** Bytes of records in one append, as they are on disk. */
  readonly batchMostBytes: number;
  readonly #disk: SpoolDisk;
  readonly #onRoom: () => void;
  #next: Storing[] = [];
  #nextBytes = 0;
  #bytes = 0;
  #points = 0;
  #appending = 0;
  #onEmpty: (() => void) | undefined;

  /**
   * @param maxBytes bound of the spool
   * @param onRoom called when it is full no more
   */
  constructor(disk: SpoolDisk, maxBytes: number, onRoom: () => void) {
    this.#disk = disk;
    this.#onRoom = onRoom;
    // The spool takes a quarter of its bound at once. Both count its own bytes for each record, too.
    this.batchMostBytes = Math.min(BATCH_MOST_BYTES, Math.floor(maxBytes / 8));
  }

  get isFull(): boolean {
    return this.#bytes >= STORING_MOST_BYTES;
  }

  /** Points on their way to the disk. */
  get points(): number {
    return this.#points;
  }

  /**
   * Stores a record behind those that came before.
   * @param stored called with its id, without one when the disk did not take it; the document is used until then
   */
  add(record: OutputRecord, stored: (id: number | undefined) => void): void {
    const bytes = recordBytes(record);
    if (this.#nextBytes > 0 && this.#nextBytes + bytes > this.batchMostBytes) this.#append();
    if (this.#next.length === 0) queueMicrotask(() => this.#append());
    this.#next.push({ record, stored });
    this.#nextBytes += bytes;
    this.#bytes += record.document.length;
    this.#points += record.points;
  }

  /** Resolves when nothing is on its way any more. */
  async empty(): Promise<void> {
    if (this.#next.length === 0 && this.#appending === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #append(): void {
    if (this.#next.length === 0) return;
    const batch = this.#next;
    this.#next = [];
    this.#nextBytes = 0;
    this.#appending += 1;
    void this.#appendBatch(batch);
  }

  async #appendBatch(batch: readonly Storing[]): Promise<void> {
    const ids = await this.#disk.append(batch.map(({ record }) => record)).catch(() => undefined);
    const wasFull = this.isFull;
    for (const [place, { record, stored }] of batch.entries()) {
      this.#bytes -= record.document.length;
      this.#points -= record.points;
      stored(ids?.[place]);
    }
    this.#appending -= 1;
    if (wasFull && !this.isFull) this.#onRoom();
    if (this.#next.length === 0 && this.#appending === 0) this.#onEmpty?.();
  }
}
