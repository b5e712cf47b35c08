import type { FeedCounts } from './feed-counts.js';
import type { HeldRecord, HeldRecords } from './held-records.js';
import type { SpoolDisk } from './spool-disk.js';

export interface HeldStoreOptions {
  readonly held: HeldRecords;
  readonly disk: SpoolDisk;
  readonly counts: FeedCounts;
  /** Bytes of records in one append, as they are on disk. */
  readonly batchMostBytes: number;
}

/** Puts on disk, too, what waits in memory. */
export class HeldStore {
  readonly #options: HeldStoreOptions;
  #storing: Promise<void> | undefined;

  constructor(options: HeldStoreOptions) {
    this.#options = options;
  }

  get isStoring(): boolean {
    return this.#storing !== undefined;
  }

  /** Stores what has waited for so long, as long as the disk takes it; does nothing where this goes on already. */
  start(minimumAgeMs: number, onEnd: () => void): void {
    if (this.#storing || this.#next(minimumAgeMs).length === 0) return;
    void this.#begin(minimumAgeMs).then(onEnd);
  }

  /** Stores everything, however short it waited; what the disk does not take now stays in memory. */
  async storeRest(): Promise<void> {
    await this.#storing;
    await this.#begin(0);
  }

  /** One at a time: what another one is storing would not be waited for. */
  #begin(minimumAgeMs: number): Promise<void> {
    this.#storing = this.#storeAll(minimumAgeMs).finally(() => {
      this.#storing = undefined;
    });
    return this.#storing;
  }

  async #storeAll(minimumAgeMs: number): Promise<void> {
    let isTaken = true;
    for (
      let batch = this.#next(minimumAgeMs);
      isTaken && batch.length > 0;
      batch = this.#next(minimumAgeMs)
    ) {
      isTaken = await this.#store(batch);
    }
  }

  #next(minimumAgeMs: number): readonly HeldRecord[] {
    const { held, batchMostBytes } = this.#options;
    return held.unstored(minimumAgeMs, batchMostBytes);
  }

  /** False when the disk did not take them. */
  async #store(batch: readonly HeldRecord[]): Promise<boolean> {
    for (const held of batch) held.place = 'storing';
    // The disk says in the log what is wrong with it.
    const ids = await this.#options.disk.append(batch).catch(() => undefined);
    for (const [place, held] of batch.entries()) {
      const id = ids?.[place];
      if (id === undefined) held.place = 'memory';
      else this.#noteStored(held, id);
    }
    return ids !== undefined;
  }

  #noteStored(held: HeldRecord, id: number): void {
    this.#options.counts.spooled(held);
    this.#options.held.noteStored(held, id);
    if (held.isSettled) this.#options.disk.acknowledge([id]);
    held.secured?.();
    held.secured = undefined;
  }
}
