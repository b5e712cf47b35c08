import { reasonOf } from '../../../shared/coded-error.js';
import { Acknowledgements } from './acknowledgements.js';
import { ActiveSegment } from './active-segment.js';
import { FolderLock } from './folder-lock.js';
import { GroupCommit } from './group-commit.js';
import { openStore } from './open-store.js';
import type { SegmentStore } from './segment-store.js';
import { SerialQueue } from './serial-queue.js';
import type { SetAside } from './set-aside.js';
import type { SpoolEntry, SpoolRecord } from './spool-entry.js';
import { closedError, storeError } from './spool-error.js';
import { SpoolFolder } from './spool-folder.js';
import { checkSize, type SpoolOptions, type SpoolStats, segmentBytes } from './spool-options.js';
import { readRecords } from './spool-reader.js';

/** Acknowledgements are written down together, after this long or when so many wait. */
export const ACKNOWLEDGE_DELAY_MS = 50;
const ACKNOWLEDGE_BATCH = 4096;

/** Between syncs where they are not part of every append. */
export const SYNC_INTERVAL_MS = 1000;

/**
 * Records on disk, in order, until they are acknowledged: at least once, bounded, in little memory.
 *
 * Why not LMDB: `test/bench/spool-store.ts` compares the two. On a busy machine of two cores, over several runs,
 * this store had 0.6 to 1.1 times LMDB's throughput in durable groups of 16 KiB documents (100 to 250 MiB/s), 0.5 to
 * 1.4 times without syncs, 0.4 to 0.85 times in draining (300 to 1000 MiB/s); a single durable commit took 0.2 to 2
 * times LMDB's time, mostly less than half; opening 1 GiB takes 30 ms (77 at worst) instead of 1.
 * All of it is far more than an agent spools. What decides is what happens to a bad file. When LMDB's is cut off,
 * SIGBUS ends the process as soon as a page behind the cut is read, and a byte that changed is delivered as if it
 * were sound; here the good part is delivered, and the bad part found by its check sum and set aside. LMDB's file
 * never shrinks (321 MiB were left of 256 MiB after a drain), so that dropping the oldest frees nothing on a full
 * disk; here a segment that is done is removed.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #folder: SpoolFolder;
  readonly #lock: FolderLock;
  readonly #store: SegmentStore;
  readonly #setAside: SetAside;
  readonly #active: ActiveSegment;
  readonly #acknowledgements: Acknowledgements;
  readonly #commits: GroupCommit;
  /** Everything that changes files happens one after another. */
  readonly #changes = new SerialQueue();
  readonly #housekeeping: NodeJS.Timeout;
  #acknowledgeTimer: NodeJS.Timeout | undefined;
  #housework: Promise<void> | undefined;
  #isSyncFailing = false;
  #closing: Promise<void> | undefined;

  private constructor(
    options: SpoolOptions,
    folder: SpoolFolder,
    lock: FolderLock,
    opened: { readonly store: SegmentStore; readonly setAside: SetAside },
    acknowledgements: Acknowledgements,
  ) {
    this.#options = options;
    this.#folder = folder;
    this.#lock = lock;
    this.#store = opened.store;
    this.#setAside = opened.setAside;
    this.#acknowledgements = acknowledgements;
    this.#active = new ActiveSegment(folder, opened.store, segmentBytes(options.maxBytes));
    this.#commits = new GroupCommit(options, opened.store, this.#active, this.#changes);
    this.#housekeeping = setInterval(() => {
      this.#housework ??= this.#keepHouse().finally(() => {
        this.#housework = undefined;
      });
    }, SYNC_INTERVAL_MS);
    this.#housekeeping.unref();
  }

  /**
   * Opens the spool with what an earlier process left in it. Read from the beginning then: `read(0, …)`.
   * @throws CodedError `spool-folder` when the folder cannot be used or another process has it, `spool-size` when `maxBytes` is too small,
   * `spool-unwritable` when what is in it cannot be taken over
   */
  static async open(options: SpoolOptions): Promise<Spool> {
    checkSize(options);
    const folder = new SpoolFolder(options.folder);
    await folder.prepare();
    let acknowledgements: Acknowledgements | undefined;
    let lock: FolderLock | undefined;
    try {
      lock = await FolderLock.take(options.folder);
      const opened = await openStore(folder, options, (segment) => acknowledgements?.noteChanged(segment));
      acknowledgements = new Acknowledgements(folder, opened.store, options.log);
      for (const segment of opened.store.segments) {
        if (segment.hasUnjournaled) acknowledgements.noteChanged(segment);
      }
      return new Spool(options, folder, lock, opened, acknowledgements);
    } catch (error) {
      await lock?.release();
      throw storeError(options.folder, error);
    }
  }

  /**
   * Stores records behind all others, all of them or none. The documents are copied before it returns; appends that
   * come while the disk is busy share the next sync.
   * @returns the ids of the records, once they are stored as the fsync policy says
   * @throws CodedError `spool-full`, `spool-unwritable`, `spool-busy`, `spool-too-large` or `spool-closed`: nothing
   * of it was stored; after all but the last two a later append may do
   */
  async append(records: readonly SpoolRecord[]): Promise<number[]> {
    if (this.#closing) throw closedError(this.#folder.path);
    if (records.length === 0) return [];
    return this.#commits.append(records);
  }

  /**
   * Records behind `afterId` that are stored and not acknowledged, oldest first: as many as `maxBytes` hold, and at
   * least one when there is one. Damaged ones are skipped, logged, and told to `onDropped`.
   * @throws CodedError `spool-read` when the disk cannot be read now, `spool-closed`
   */
  async read(afterId: number, maxBytes: number): Promise<SpoolEntry[]> {
    if (this.#closing) throw closedError(this.#folder.path);
    return readRecords(this.#store, this.#folder, afterId, maxBytes);
  }

  /**
   * Settles records, in any order; what is no longer there is ignored. They are not read again, nor counted, and
   * after `close` forgotten for good. When the process is killed, what was acknowledged in the last
   * `ACKNOWLEDGE_DELAY_MS`, and while the disk was busy then, may come back; when the power fails, in the last
   * `SYNC_INTERVAL_MS` (with the policy `never`: what the system had not written yet).
   */
  acknowledge(ids: Iterable<number>): void {
    if (this.#closing) return;
    for (const id of ids) this.#acknowledgements.add(id);
    if (this.#acknowledgements.waiting >= ACKNOWLEDGE_BATCH) this.#flushSoon(0);
    else if (this.#acknowledgements.waiting > 0) this.#flushSoon(ACKNOWLEDGE_DELAY_MS);
  }

  /** True for a record that is stored, and neither acknowledged nor lost. */
  has(id: number): boolean {
    const segment = this.#store.find(id);
    return segment !== undefined && !segment.isRemoved && !segment.isAcknowledged(id - segment.name.firstId);
  }

  stats(): SpoolStats {
    let records = 0;
    let points = 0;
    let bytes = this.#setAside.bytes;
    for (const segment of this.#store.segments) {
      records += segment.remaining;
      points += segment.remainingPoints;
      bytes += segment.fileBytes + segment.journalBytes;
    }
    const oldest = this.#store.nextRemaining(0);
    return { records, points, bytes, oldestAt: oldest?.segment.oldestStoredAt };
  }

  /** Stores what was appended, notes what was acknowledged, and closes. Failures are logged. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#housekeeping);
    clearTimeout(this.#acknowledgeTimer);
    await this.#commits.commitAll();
    await this.#housework;
    await this.#changes.run(async () => {
      try {
        await this.#acknowledgements.flush();
        if (this.#options.fsync !== 'never') await this.#active.sync();
        await this.#active.finish();
        await this.#acknowledgements.flush();
        if (this.#options.fsync !== 'never') {
          await this.#acknowledgements.sync();
          await this.#folder.sync();
        }
        await this.#lock.release();
      } catch (error) {
        this.#options.log.error(
          { folder: this.#folder.path },
          `the spool in ${this.#folder.path} could not be closed properly: ${reasonOf(error)}`,
        );
      }
    });
  }

  #flushSoon(delayMs: number): void {
    if (this.#acknowledgeTimer && delayMs > 0) return;
    clearTimeout(this.#acknowledgeTimer);
    this.#acknowledgeTimer = setTimeout(() => {
      this.#acknowledgeTimer = undefined;
      void this.#changes.run(() => this.#flush());
    }, delayMs);
    this.#acknowledgeTimer.unref();
  }

  async #flush(): Promise<void> {
    if (await this.#acknowledgements.flush()) this.#active.isFolderChanged = true;
  }

  async #sync(): Promise<void> {
    if (this.#options.fsync === 'never') return;
    await this.#active.sync();
    await this.#acknowledgements.sync();
  }

  /** Once a second: removes an active segment of which nothing is left, and syncs what is due. */
  async #keepHouse(): Promise<void> {
    const isIdle = !this.#commits.wasUsed;
    this.#commits.wasUsed = false;
    try {
      await this.#changes.run(async () => {
        await this.#active.checkPresence();
        if (isIdle && this.#active.isDone) await this.#active.finish();
        await this.#flush();
      });
      // With `always` an append must not take a sync that still runs for its own. Otherwise it need not wait.
      if (this.#options.fsync === 'always') await this.#changes.run(() => this.#sync());
      else await this.#sync();
      this.#isSyncFailing = false;
    } catch (error) {
      if (!this.#isSyncFailing) {
        this.#options.log.error(
          { folder: this.#folder.path },
          `the spool in ${this.#folder.path} cannot be synced, a power failure may cost what came last: ${reasonOf(error)}`,
        );
      }
      this.#isSyncFailing = true;
    }
  }
}
