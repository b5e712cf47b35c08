import { codeOf, reasonOf } from '../../../shared/coded-error.js';
import { ENTRY_BYTES } from './acknowledgement-journal.js';
import type { ActiveSegment } from './active-segment.js';
import { AppendQueue, PendingAppend, reservationOf } from './append-queue.js';
import { ROW_BYTES } from './footer.js';
import type { SegmentStore } from './segment-store.js';
import type { SerialQueue } from './serial-queue.js';
import { SpareBuffers } from './spare-buffers.js';
import type { SpoolRecord } from './spool-entry.js';
import { busyError, storeError, tooLargeError } from './spool-error.js';
import { BLOCK_BYTES } from './spool-file.js';
import { appendMostBytes, type SpoolOptions } from './spool-options.js';

/** Copies that wait for the disk. Bytes. */
const WAITING_MOST_BYTES = 64 * 1024 * 1024;

/** Written and synced at a time. Bytes. */
const COMMIT_BYTES = 8 * 1024 * 1024;

/** Two new files, a footer without rows, and the rounding of each to blocks of the disk. Bytes. */
const ROUNDING_BYTES = 4 * BLOCK_BYTES;

/** Brings appends to the disk: what comes while it is busy is written and synced together next. */
export class GroupCommit {
  /** Something was appended since this was last set to false. */
  wasUsed = false;
  readonly #options: SpoolOptions;
  readonly #store: SegmentStore;
  readonly #active: ActiveSegment;
  readonly #changes: SerialQueue;
  readonly #queue = new AppendQueue();
  readonly #buffers = new SpareBuffers();
  #isCommitting = false;

  constructor(options: SpoolOptions, store: SegmentStore, active: ActiveSegment, changes: SerialQueue) {
    this.#options = options;
    this.#store = store;
    this.#active = active;
    this.#changes = changes;
  }

  /** Copies the records at once; the answer is their ids, when they are stored as the fsync policy says. */
  async append(records: readonly SpoolRecord[]): Promise<number[]> {
    const { folder, maxBytes } = this.#options;
    const bytes = PendingAppend.bytesOf(records);
    const most = appendMostBytes(maxBytes);
    if (bytes > most) throw tooLargeError(folder, bytes, most);
    if (!this.#queue.isEmpty && this.#queue.bytes + bytes > WAITING_MOST_BYTES) {
      throw busyError(folder, this.#queue.bytes);
    }
    const append = new PendingAppend(records, this.#buffers.take(bytes), Date.now());
    this.#queue.push(append);
    this.wasUsed = true;
    if (!this.#isCommitting) void this.commitAll();
    return append.stored;
  }

  /** Settles when nothing waits any more. */
  async commitAll(): Promise<void> {
    this.#isCommitting = true;
    while (!this.#queue.isEmpty) await this.#changes.run(() => this.#commit());
    this.#isCommitting = false;
  }

  async #commit(): Promise<void> {
    const nextBytes = this.#queue.nextBytes;
    if (nextBytes === undefined) return;
    const appends = this.#queue.take(Math.min(COMMIT_BYTES, this.#active.roomFor(nextBytes)));
    try {
      if (this.#active.isFullFor(nextBytes)) await this.#finishActive();
      await this.#store.makeRoom(reservationOf(appends, ROW_BYTES + ENTRY_BYTES, ROUNDING_BYTES));
      let id = await this.#active.write(appends);
      if (this.#options.fsync === 'always') await this.#syncActive();
      this.#active.accept(appends);
      for (const append of appends) {
        append.resolve(id);
        id += append.records.length;
      }
    } catch (error) {
      const reason = storeError(this.#options.folder, error);
      for (const append of appends) append.reject(reason);
      await this.#leaveFullFile(error);
    }
    for (const { bytes } of appends) this.#buffers.giveBack(bytes);
  }

  /** Where a file may not grow any more, another one still can. */
  async #leaveFullFile(error: unknown): Promise<void> {
    if (codeOf(error) !== 'EFBIG') return;
    try {
      await this.#finishActive();
    } catch (failure) {
      const { folder, log } = this.#options;
      log.warn({ folder }, `the spool in ${folder} cannot begin a new file: ${reasonOf(failure)}`);
    }
  }

  async #finishActive(): Promise<void> {
    if (this.#options.fsync === 'interval') await this.#active.sync();
    await this.#active.finish();
  }

  async #syncActive(): Promise<void> {
    try {
      await this.#active.sync();
    } catch (error) {
      await this.#active.giveUp();
      throw error;
    }
  }
}
