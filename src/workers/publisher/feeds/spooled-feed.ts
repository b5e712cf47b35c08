import { counted } from '../../../shared/counted.js';
import type { Log } from '../../../shared/log.js';
import type { OutputSettings, SpoolSettings } from '../../../shared/output-settings.js';
import type { OutputStatus } from '../../../shared/output-status.js';
import { isOverWithin } from '../../../shared/within.js';
import type { Output, OutputRecord } from '../outputs/output.js';
import type { SpoolEntry } from '../spool/spool-entry.js';
import { BacklogReader } from './backlog-reader.js';
import { type HeldRecord, HeldRecords } from './held-records.js';
import { HeldStore } from './held-store.js';
import type { FeedRemains, OutputFeed, Secured } from './output-feed.js';
import { AWAY_AFTER_MS, ProgressWatch } from './progress-watch.js';
import { RecordFates } from './record-fates.js';
import { SpoolDisk } from './spool-disk.js';
import { spoolShare } from './spool-share.js';
import { StoreQueue } from './store-queue.js';
import { WaitingRoom } from './waiting-room.js';

export interface SpooledFeedOptions {
  readonly settings: OutputSettings;
  readonly output: Output;
  readonly spool: SpoolSettings;
  /** How many outputs share the bound of the spool. With others beside it, this one never keeps the ring waiting for long. */
  readonly outputCount: number;
  readonly log: Log;
  /** Called when it is full no more. */
  readonly onRoom: () => void;
}

/** What waits for the output so long in memory is put on disk, too: who posted it is not kept waiting. */
const STORE_AFTER_MS = 1000;

const TICK_MS = 250;

/**
 * Brings records to an output by way of memory or disk, whichever serves them better.
 *
 * Mode `overflow`: a record goes to the output from memory; it is put on disk when the output has not taken it within
 * `STORE_AFTER_MS`, when memory is full, or when the output is away. Mode `always`: it is put on disk first. Either
 * way it is secured as soon as it is delivered or on disk. What only the disk has, `BacklogReader` brings to the output
 * beside newer records. When the disk fails, memory takes what it can; beyond, records wait in the ring.
 */
export class SpooledFeed implements OutputFeed {
  readonly #options: SpooledFeedOptions;
  readonly #fates: RecordFates;
  readonly #watch: ProgressWatch;
  readonly #held: HeldRecords;
  readonly #disk: SpoolDisk;
  readonly #store: StoreQueue;
  readonly #backlog: BacklogReader;
  /** Records for which there is no place: neither memory nor disk takes them. */
  readonly #waiting: WaitingRoom;
  readonly #heldStore: HeldStore;
  #timer: NodeJS.Timeout | undefined;
  #isClosing = false;
  /** When a close gives up an output that is up and does not answer; by `performance.now()`. */
  #graceEndsAt = 0;
  #isClosed = false;
  #onSettled: (() => void) | undefined;

  constructor(options: SpooledFeedOptions) {
    const { settings, spool, outputCount, log } = options;
    const { alias, bufferSize } = settings;
    const share = spoolShare(settings, spool, outputCount);
    this.#options = options;
    this.#watch = new ProgressWatch(settings.name === 'go' ? settings.flushMs : 0);
    this.#fates = new RecordFates({
      output: alias,
      setAsidePath: share.setAsidePath,
      setAsideBytes: share.setAsideBytes,
      sayIntervalMs: settings.name === 'go' ? settings.logSuppressIntervalMs : 0,
      log,
    });
    this.#held = new HeldRecords(bufferSize);
    this.#disk = new SpoolDisk({
      output: alias,
      folder: share.folder,
      maxBytes: share.maxBytes,
      fsync: spool.fsync,
      log,
      isInMemory: (id) => this.#held.hasId(id) || this.#backlog.isOnTheWay(id),
      onDropped: (namespace, _records, points, reason) => this.#fates.dropped(namespace, points, reason),
      onOpen: () => this.#noteOpen(),
      onRecovered: () => this.#tick(),
    });
    this.#store = new StoreQueue(this.#disk, share.maxBytes, () => this.#tellRoom());
    this.#heldStore = new HeldStore({
      held: this.#held,
      disk: this.#disk,
      counts: this.#fates.counts,
      batchMostBytes: this.#store.batchMostBytes,
    });
    this.#backlog = new BacklogReader({
      disk: this.#disk,
      isInMemory: (id) => this.#held.hasId(id),
      mayRead: () => !this.#isClosing && !this.#watch.isAway && !this.#heldStore.isStoring,
      deliver: (entry, done) => this.#deliverEntry(entry, done),
    });
    this.#waiting = new WaitingRoom(outputCount > 1);
  }

  get ready(): Promise<void> {
    return this.#disk.tried;
  }

  get isFull(): boolean {
    return !this.#waiting.isEmpty || this.#store.isFull;
  }

  take(record: OutputRecord, secured: Secured): void {
    this.#fates.counts.accepted(record);
    this.#place(record, secured);
  }

  status(): OutputStatus {
    const { alias, name } = this.#options.settings;
    const outputState = this.#options.output.state();
    const disk = this.#disk.stats();
    let unstored = this.#held.pointsInMemoryOnly + this.#store.points + this.#waiting.points;
    for (const { points } of this.#onlyInMemory()) unstored += points;
    const diskAgeMs = disk.oldestAt === undefined ? 0 : Math.max(0, Date.now() - disk.oldestAt);
    return {
      output: alias,
      name,
      ...outputState,
      isUp: outputState.isUp && !this.#watch.isAway,
      ...this.#fates.counts.all,
      memoryPoints:
        this.#held.points + this.#store.points + this.#waiting.points + this.#backlog.pointsOnTheWay,
      diskRecords: disk.records,
      diskPoints: disk.points,
      diskBytes: disk.bytes,
      lagPoints: unstored + disk.points,
      lagSeconds: Math.max(this.#held.oldestAgeMs, diskAgeMs) / 1000,
    };
  }

  hurry(): void {
    this.#options.output.hurry?.();
  }

  async close(withinMs: number): Promise<FeedRemains> {
    this.#isClosing = true;
    this.#graceEndsAt = performance.now() + AWAY_AFTER_MS;
    this.#backlog.close();
    await this.#store.empty();
    const drained = this.#options.output.drain?.() ?? new Promise<void>(() => undefined);
    if (!this.#isDone) {
      const settled = new Promise<void>((resolve) => {
        this.#onSettled = resolve;
      });
      await isOverWithin(withinMs, Promise.race([settled, drained]));
    }
    await this.#heldStore.storeRest();
    for (const { record, secured } of this.#waiting.takeAll()) this.#putOnDisk(record, secured);
    await this.#store.empty();
    this.#isClosed = true;
    this.#stopTimer();
    await this.#options.output.close();
    this.#countGone();
    await Promise.all([this.#disk.close(), this.#fates.close()]);
    const { records, points } = this.#disk.stats();
    return { keptRecords: records, keptPoints: points };
  }

  /**
   * Whether there is nothing to wait for at the end: all that the output was given is settled, or it is away.
   * One that has just come back may have taken something and not said so yet: it would come twice after a restart.
   */
  get #isDone(): boolean {
    if (!this.#watch.isAway) return this.#watch.isIdle;
    return performance.now() >= this.#graceEndsAt || !this.#options.output.state().isUp;
  }

  #place(record: OutputRecord, secured: Secured): void {
    const isAlways = this.#options.spool.mode === 'always';
    const isDiskUsable = this.#disk.isUsable;
    if ((!isAlways || !isDiskUsable) && this.#mayHold(record, isDiskUsable)) {
      this.#hold(record, secured, undefined);
    } else if (isDiskUsable) {
      this.#putOnDisk(record, secured);
    } else {
      this.#keepWaiting(record, secured);
    }
  }

  #keepWaiting(record: OutputRecord, secured: Secured): void {
    if (this.#waiting.isOverdue) {
      this.#drop(record, secured);
      return;
    }
    this.#waiting.add(record, secured);
    this.#startTimer();
  }

  /** What waits for an output that is away is better off on disk, where there is one. */
  #mayHold(record: OutputRecord, isDiskUsable: boolean): boolean {
    return (!this.#watch.isAway || !isDiskUsable) && this.#held.hasRoomFor(record);
  }

  #hold(record: OutputRecord, secured: Secured | undefined, id: number | undefined): void {
    const held = this.#held.add(record, secured, id);
    this.#waiting.noteRoom();
    this.#startTimer();
    this.#watch.begin();
    this.#options.output.deliver(held, (refusal, points) => this.#settle(held, refusal, points));
  }

  #settle(held: HeldRecord, refusal: string | undefined, refusedPoints: number | undefined): void {
    const wasFull = this.isFull;
    this.#held.remove(held);
    if (held.id !== undefined) this.#disk.acknowledge([held.id]);
    this.#fates.settled(held, refusal, refusedPoints);
    held.secured?.(refusal === undefined ? undefined : { kind: 'refused', reason: refusal });
    held.secured = undefined;
    this.#noteProgress(wasFull);
  }

  #deliverEntry(entry: SpoolEntry, done: () => void): void {
    this.#startTimer();
    this.#watch.begin();
    this.#options.output.deliver(entry, (refusal, refusedPoints) => {
      const wasFull = this.isFull;
      this.#disk.acknowledge([entry.id]);
      this.#fates.settled(entry, refusal, refusedPoints);
      this.#noteProgress(wasFull);
      done();
    });
  }

  #noteProgress(wasFull: boolean): void {
    const wasAway = this.#watch.isAway;
    this.#watch.end();
    this.#placeWaiting();
    if (wasFull) this.#tellRoom();
    if (wasAway) this.#backlog.pump();
    if (this.#isDone) this.#onSettled?.();
  }

  #putOnDisk(record: OutputRecord, secured: Secured): void {
    this.#store.add(record, (id) => {
      if (id === undefined) this.#placeAfterFailure(record, secured);
      else this.#noteStored(record, secured, id);
    });
  }

  /** The document may be gone once it is secured: a copy is made before. */
  #noteStored(record: OutputRecord, secured: Secured, id: number): void {
    this.#fates.counts.spooled(record);
    this.#waiting.noteRoom();
    const isAlways = this.#options.spool.mode === 'always';
    const mayGoNow = isAlways && !this.#isClosing && !this.#backlog.hasRead(id);
    if (mayGoNow && this.#mayHold(record, true)) this.#hold(record, undefined, id);
    else this.#backlog.noteMore();
    secured();
  }

  #placeAfterFailure(record: OutputRecord, secured: Secured): void {
    if (this.#held.hasRoomFor(record)) this.#hold(record, secured, undefined);
    else this.#keepWaiting(record, secured);
  }

  #placeWaiting(): void {
    while (!this.#waiting.isEmpty) {
      const next = this.#waiting.next;
      if (!next || !(this.#disk.isUsable || this.#held.hasRoomFor(next.record))) return;
      this.#waiting.removeNext();
      this.#place(next.record, next.secured);
    }
  }

  #tellRoom(): void {
    if (!this.isFull) this.#options.onRoom();
  }

  #startTimer(): void {
    if (this.#isClosed) return;
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const wasFull = this.isFull;
    this.#watch.check();
    this.#placeWaiting();
    if (this.#waiting.isOverdue) {
      for (const { record, secured } of this.#waiting.takeAll()) this.#drop(record, secured);
    }
    this.#storeHeld();
    if (wasFull) this.#tellRoom();
    if (this.#isDone) this.#onSettled?.();
    if (this.#watch.isIdle && this.#waiting.isEmpty) this.#stopTimer();
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Puts what waits too long in memory on disk, too. The backlog is not read meanwhile: it would bring these again. */
  #storeHeld(): void {
    if (!this.#disk.isUsable || this.#backlog.isReading) return;
    this.#heldStore.start(STORE_AFTER_MS, () => this.#backlog.pump());
  }

  /** At the end: what memory had beside the disk is lost when the disk had to drop it meanwhile. */
  #countGone(): void {
    for (const { namespace, points } of this.#onlyInMemory()) this.#fates.dropped(namespace, points, 'full');
  }

  /** Records that are secured, and that the disk has no longer. */
  *#onlyInMemory(): Generator<OutputRecord> {
    for (const held of this.#held.stored()) if (!this.#disk.has(held.id)) yield held;
    for (const entry of this.#backlog.onTheWay()) if (!this.#disk.has(entry.id)) yield entry;
  }

  #noteOpen(): void {
    if (this.#disk.stats().records > 0) {
      const { records, points } = this.#disk.stats();
      const { alias } = this.#options.settings;
      this.#options.log.info(
        { output: alias, records, points },
        `output ${alias}: ${counted(points, 'point waits', 'points wait')} on disk since the last run, to be delivered now`,
      );
      this.#backlog.noteMore();
    }
  }

  #drop(record: OutputRecord, secured: Secured): void {
    secured(this.#fates.withoutRoom(record));
  }
}
