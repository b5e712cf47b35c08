import type { Log } from '../../../shared/log.js';
import type { OutputSettings } from '../../../shared/output-settings.js';
import type { OutputStatus } from '../../../shared/output-status.js';
import { isOverWithin } from '../../../shared/within.js';
import type { Output, OutputRecord } from '../outputs/output.js';
import { FeedCounts } from './feed-counts.js';
import { LossLog } from './loss-log.js';
import type { FeedRemains, OutputFeed, Secured } from './output-feed.js';

export interface DirectFeedOptions {
  readonly settings: OutputSettings;
  readonly output: Output;
  readonly log: Log;
  /** Called when it is full no more. */
  readonly onRoom: () => void;
}

/** Nothing goes to disk: a record is safe when the output has delivered it, and stays where it is until then. */
export class DirectFeed implements OutputFeed {
  readonly #options: DirectFeedOptions;
  readonly #counts = new FeedCounts();
  readonly #lossLog: LossLog;
  /** When each was taken, by the order of taking. */
  readonly #waiting = new Map<OutputRecord, number>();
  #waitingPoints = 0;
  #onIdle: (() => void) | undefined;
  readonly ready = Promise.resolve();

  constructor(options: DirectFeedOptions) {
    this.#options = options;
    this.#lossLog = new LossLog(options.settings.alias, options.log);
  }

  get isFull(): boolean {
    return this.#waitingPoints >= this.#options.settings.bufferSize;
  }

  take(record: OutputRecord, secured: Secured): void {
    this.#counts.accepted(record);
    this.#waiting.set(record, performance.now());
    this.#waitingPoints += record.points;
    this.#options.output.deliver(record, (refusal, refusedPoints) => {
      const wasFull = this.isFull;
      this.#waiting.delete(record);
      this.#waitingPoints -= record.points;
      this.#count(record, refusal, refusedPoints);
      secured(refusal === undefined ? undefined : { kind: 'refused', reason: refusal });
      if (wasFull) this.#options.onRoom();
      if (this.#waiting.size === 0) this.#onIdle?.();
    });
  }

  status(): OutputStatus {
    const { alias, name } = this.#options.settings;
    const [oldest] = this.#waiting.values();
    return {
      output: alias,
      name,
      ...this.#options.output.state(),
      ...this.#counts.all,
      memoryPoints: this.#waitingPoints,
      diskRecords: 0,
      diskPoints: 0,
      diskBytes: 0,
      lagPoints: this.#waitingPoints,
      lagSeconds: oldest === undefined ? 0 : (performance.now() - oldest) / 1000,
    };
  }

  async close(withinMs: number): Promise<FeedRemains> {
    if (this.#waiting.size > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
      await isOverWithin(withinMs, idle);
    }
    await this.#options.output.close();
    return { keptRecords: 0, keptPoints: 0 };
  }

  #count(record: OutputRecord, refusal: string | undefined, refusedPoints = record.points): void {
    if (refusal === undefined) {
      this.#counts.delivered(record);
      return;
    }
    this.#counts.setAside(record, refusedPoints);
    this.#lossLog.say('refused', record.namespace, refusedPoints, `were refused and are lost: ${refusal}`);
  }
}
