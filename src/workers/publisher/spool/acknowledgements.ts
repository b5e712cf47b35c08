import { codeOf, reasonOf } from '../../../shared/coded-error.js';
import type { Log } from '../../../shared/log.js';
import { writeEntries } from './acknowledgement-journal.js';
import type { Segment } from './segment.js';
import type { SegmentStore } from './segment-store.js';
import { openForReading, openOrCreate } from './spool-file.js';
import type { SpoolFolder } from './spool-folder.js';

/** Writes down what was delivered, and removes segments of which nothing is left. */
export class Acknowledgements {
  readonly #folder: SpoolFolder;
  readonly #store: SegmentStore;
  readonly #log: Log;
  readonly #changed = new Set<Segment>();
  readonly #unsynced = new Set<Segment>();
  #isFailing = false;
  /** Acknowledgements that are in memory alone. */
  waiting = 0;

  constructor(folder: SpoolFolder, store: SegmentStore, log: Log) {
    this.#folder = folder;
    this.#store = store;
    this.#log = log;
  }

  /** Notes that a record is settled; nothing happens when it is not there (any more). */
  add(id: number): void {
    const segment = this.#store.find(id);
    if (segment?.acknowledge(id - segment.name.firstId)) this.noteChanged(segment);
  }

  noteChanged(segment: Segment): void {
    this.#changed.add(segment);
    this.waiting += 1;
  }

  /**
   * Brings everything noted to the disk. What cannot be written stays in memory and is tried again by the next
   * call; only a process that is killed before would deliver it again.
   * @returns true when a segment was removed
   */
  async flush(): Promise<boolean> {
    let hasRemoved = false;
    let failure: unknown;
    this.waiting = 0;
    for (const segment of this.#changed) {
      try {
        if (await this.#settle(segment)) hasRemoved = true;
        if (!segment.hasUnjournaled || segment.isRemoved) this.#changed.delete(segment);
      } catch (error) {
        // The others get their turn all the same: removing one may make room for the notes of this one.
        failure = error;
      }
    }
    this.#sayFailure(failure);
    return hasRemoved;
  }

  /** Makes sure that what was written survives a power failure. Others may write meanwhile. */
  async sync(): Promise<void> {
    for (const segment of [...this.#unsynced]) {
      // Beforehand: what is written meanwhile needs a sync of its own.
      this.#unsynced.delete(segment);
      if (segment.isRemoved) continue;
      await this.#syncJournal(segment).catch((error) => {
        this.#unsynced.add(segment);
        throw error;
      });
    }
  }

  #sayFailure(failure: unknown): void {
    if (failure !== undefined && !this.#isFailing) {
      this.#log.warn(
        { folder: this.#folder.path },
        `cannot note in ${this.#folder.path} what was delivered, it would be sent again after a crash: ${reasonOf(failure)}`,
      );
    }
    this.#isFailing = failure !== undefined;
  }

  async #settle(segment: Segment): Promise<boolean> {
    if (segment.isRemoved) return false;
    if (segment.isSealed && segment.remaining === 0) {
      await this.#store.remove(segment);
      return true;
    }
    if (!segment.isPriced) await this.#store.contentsOf(segment);
    if (!segment.isRemoved) await this.#writeJournal(segment);
    return false;
  }

  async #writeJournal(segment: Segment): Promise<void> {
    const indices = segment.takeUnjournaled();
    if (indices.length === 0) return;
    try {
      const journal = await openOrCreate(this.#folder.journalPath(segment.name));
      try {
        const { salt } = segment.name;
        segment.journalBytes = await writeEntries(journal, segment.journalBytes, indices, salt);
      } finally {
        await journal.close();
      }
      this.#unsynced.add(segment);
    } catch (error) {
      segment.putBackUnjournaled(indices);
      throw error;
    }
  }

  async #syncJournal(segment: Segment): Promise<void> {
    try {
      const journal = await openForReading(this.#folder.journalPath(segment.name));
      try {
        await journal.datasync();
      } finally {
        await journal.close();
      }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
}
