import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DrainOutcome, Loss, Notice, PublisherStatus } from '../../shared/messages.js';
import { countUnread, LaneReader, type RingRecord } from '../../shared/ring/lane-reader.js';
import { laneCount } from '../../shared/ring/layout.js';
import { RingWake } from '../../shared/ring/wake.js';
import { isOverWithin } from '../../shared/within.js';
import type { OutputFeed } from './feeds/output-feed.js';
import { LaneTracker } from './lane-tracker.js';

/** Records taken from one lane before the next one has its turn. */
const RECORDS_PER_TURN = 64;

/** What a publisher works with. */
export interface PublisherOptions {
  readonly ring: SharedArrayBuffer;
  /** Told what became of records that somebody waits for, at most once a turn of the event loop. */
  readonly onNotices: (notices: readonly Notice[]) => void;
  /** How long records that nobody waits for may lie in the ring, in milliseconds. Default 0. */
  readonly patienceMs?: number;
  /** Opens the feeds of all outputs, at least one; each calls `onRoom` when it is full no more. */
  readonly openFeeds: (onRoom: () => void) => readonly OutputFeed[];
}

/** Moves records from the ring's lanes to the outputs' feeds, and settles them there when all of these have secured them. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #feeds: readonly OutputFeed[];
  readonly #lanes: readonly LaneTracker[];
  readonly #wake: RingWake;
  #notices: Notice[] = [];
  #waitingPoints = 0;
  #waitingRecords = 0;
  #isStopping = false;
  #onIdle: (() => void) | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#wake = new RingWake(options.ring);
    this.#wake.setPatience(options.patienceMs ?? 0);
    this.#lanes = Array.from(
      { length: laneCount(options.ring) },
      (_, lane) => new LaneTracker(new LaneReader(options.ring, lane)),
    );
    this.#feeds = options.openFeeds(() => this.#wake.interrupt());
  }

  /** Runs until `drain` ends it. */
  async run(): Promise<void> {
    while (!this.#isStopping) {
      const mark = this.#wake.mark();
      const took = this.#takeRound();
      if (took === 0) {
        this.#noticeIdle();
        await this.#wake.sleep(mark);
      }
      // The outputs' sockets get their turn even while records keep coming.
      await nextTurn();
    }
  }

  /** Waits until all records are safe and, as far as the outputs take them now, delivered; at most `withinMs`. Then stops. */
  async drain(withinMs: number): Promise<DrainOutcome> {
    const endsAt = performance.now() + withinMs;
    this.#wake.setPatience(0);
    for (const feed of this.#feeds) feed.hurry();
    await this.#idleWithin(withinMs);
    this.#isStopping = true;
    this.#wake.interrupt();
    const remainingMs = Math.max(0, endsAt - performance.now());
    const remains = await Promise.all(this.#feeds.map((feed) => feed.close(remainingMs)));
    this.#sendNotices();
    const unread = countUnread(this.#lanes.map(({ reader }) => reader));
    return {
      undeliveredRecords: this.#waitingRecords + unread.records,
      undeliveredPoints: this.#waitingPoints + unread.points,
      keptRecords: remains.reduce((sum, { keptRecords }) => sum + keptRecords, 0),
      keptPoints: remains.reduce((sum, { keptPoints }) => sum + keptPoints, 0),
    };
  }

  /** Not before it is known what an earlier run left on disk. */
  async status(): Promise<PublisherStatus> {
    await Promise.all(this.#feeds.map(({ ready }) => ready));
    return { outputs: this.#feeds.map((feed) => feed.status()) };
  }

  /** One turn for every lane; the answer is how many records were taken. */
  #takeRound(): number {
    let taken = 0;
    for (const lane of this.#lanes) taken += this.#takeFrom(lane);
    return taken;
  }

  #takeFrom(lane: LaneTracker): number {
    for (let taken = 0; taken < RECORDS_PER_TURN; taken += 1) {
      const record = this.#isFull() ? undefined : lane.reader.read();
      if (!record) return taken;
      this.#hand(record, lane.track(record));
    }
    return RECORDS_PER_TURN;
  }

  #isFull(): boolean {
    return this.#feeds.some((feed) => feed.isFull);
  }

  /** Gives a record to all feeds; who waits for it hears the word of the first, and when all have secured it. */
  #hand(record: RingRecord, free: () => void): void {
    this.#waitingRecords += 1;
    this.#waitingPoints += record.points;
    let unsecured = this.#feeds.length;
    let loss: Loss | undefined;
    for (const [place, feed] of this.#feeds.entries()) {
      feed.take(record, (itsLoss) => {
        if (place === 0) loss = itsLoss;
        unsecured -= 1;
        if (unsecured === 0) this.#settle(record, loss, free);
      });
    }
  }

  #settle(record: RingRecord, loss: Loss | undefined, free: () => void): void {
    this.#waitingRecords -= 1;
    this.#waitingPoints -= record.points;
    free();
    if (record.awaited) this.#notify({ lane: record.lane, end: record.end, loss });
    if (this.#onIdle && this.#waitingRecords === 0) this.#wake.interrupt();
  }

  #notify(notice: Notice): void {
    if (this.#notices.length === 0) setImmediate(() => this.#sendNotices());
    this.#notices.push(notice);
  }

  #sendNotices(): void {
    if (this.#notices.length === 0) return;
    const notices = this.#notices;
    this.#notices = [];
    this.#options.onNotices(notices);
  }

  #noticeIdle(): void {
    if (this.#waitingRecords === 0) this.#onIdle?.();
  }

  async #idleWithin(ms: number): Promise<void> {
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    this.#wake.interrupt();
    await isOverWithin(ms, idle);
  }
}
