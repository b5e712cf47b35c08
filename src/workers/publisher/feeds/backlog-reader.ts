import type { SpoolEntry } from '../spool/spool-entry.js';
import { DISK_RETRY_MS, type SpoolDisk } from './spool-disk.js';

/** Read from disk and on their way to the output at one time: live records wait behind no more than this. Bytes. */
const ON_THE_WAY_MOST_BYTES = 2 * 1024 * 1024;

export interface BacklogOptions {
  readonly disk: SpoolDisk;
  /** Those are delivered from memory. */
  readonly isInMemory: (id: number) => boolean;
  /** False: nothing is read for the time being; call `pump` when that changes. */
  readonly mayRead: () => boolean;
  /** Gives an entry to the output; `done` must be called when that has settled it. */
  readonly deliver: (entry: SpoolEntry, done: () => void) => void;
}

/** Brings what waits on disk to the output, oldest first, a little at a time. */
export class BacklogReader {
  readonly #options: BacklogOptions;
  /** Id of the last entry that was read. */
  #cursor = 0;
  #bytesOnTheWay = 0;
  readonly #onTheWay = new Map<number, SpoolEntry>();
  #pointsOnTheWay = 0;
  #mayHaveMore = false;
  #isReading = false;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(options: BacklogOptions) {
    this.#options = options;
  }

  get isReading(): boolean {
    return this.#isReading;
  }

  get pointsOnTheWay(): number {
    return this.#pointsOnTheWay;
  }

  isOnTheWay(id: number): boolean {
    return this.#onTheWay.has(id);
  }

  /** What was read and is not settled. */
  onTheWay(): Iterable<SpoolEntry> {
    return this.#onTheWay.values();
  }

  /** True for an entry that it has read already, and is delivering or has delivered. */
  hasRead(id: number): boolean {
    return id <= this.#cursor;
  }

  /** Something is on disk that nobody delivers yet. */
  noteMore(): void {
    this.#mayHaveMore = true;
    this.pump();
  }

  /** Reads on when there is reason to. */
  pump(): void {
    if (this.#isReading || !this.#mayHaveMore || !this.#options.mayRead()) return;
    if (this.#bytesOnTheWay > ON_THE_WAY_MOST_BYTES / 2) return;
    this.#isReading = true;
    void this.#read().finally(() => {
      this.#isReading = false;
      this.pump();
    });
  }

  close(): void {
    clearTimeout(this.#retryTimer);
  }

  async #read(): Promise<void> {
    const { disk } = this.#options;
    this.#mayHaveMore = false;
    const entries = await disk.read(this.#cursor, ON_THE_WAY_MOST_BYTES - this.#bytesOnTheWay);
    if (!entries) {
      this.#retryTimer = setTimeout(() => this.noteMore(), DISK_RETRY_MS);
      return;
    }
    if (entries.length > 0) this.#mayHaveMore = true;
    // What was read as the feed closed, or the output went away, is read again when there is somebody to take it.
    if (!this.#options.mayRead()) return;
    for (const entry of entries) this.#take(entry);
  }

  #take(entry: SpoolEntry): void {
    this.#cursor = entry.id;
    // Dropped while it was read, and counted as such, or delivered from memory.
    if (!this.#options.disk.has(entry.id) || this.#options.isInMemory(entry.id)) return;
    const bytes = entry.document.length;
    this.#bytesOnTheWay += bytes;
    this.#pointsOnTheWay += entry.points;
    this.#onTheWay.set(entry.id, entry);
    this.#options.deliver(entry, () => {
      this.#bytesOnTheWay -= bytes;
      this.#pointsOnTheWay -= entry.points;
      this.#onTheWay.delete(entry.id);
      this.pump();
    });
  }
}
