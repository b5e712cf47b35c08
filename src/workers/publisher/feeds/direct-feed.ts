import type { Log } from '../../../shared/log.js';
import type { OutputSettings } from '../../../shared/output-settings.js';
import type { OutputStatus } from '../../../shared/output-status.js';
import { isOverWithin } from '../../../shared/within.js';
import type { Output, OutputRecord } from '../outputs/output.js';
import { FeedCounts } from './feed-counts.js';
import { LossLog } from './loss-log.js';
import type { FeedRemains, OutputFeed, Secured } from './output-feed.js';
import { SetAsideFile } from './set-aside-file.js';

export interface DirectFeedOptions {
  readonly settings: OutputSettings;
  readonly output: Output;
  readonly log: Log;
  /** Called when it is full no more. */
  readonly onRoom: () => void;
}

/** Of a file with refused documents, and as much of the one before. Bytes. */
const SET_ASIDE_MOST_BYTES = 8 * 1024 * 1024;

/** Nothing goes to disk: a record is safe when the output has delivered it, and stays where it is until then. */
export class DirectFeed implements OutputFeed {
  readonly #options: DirectFeedOptions;
  readonly #counts = new FeedCounts();
  readonly #lossLog: LossLog;
  /** Only where a file was named for it. */
  readonly #setAside: SetAsideFile | undefined;
  /** When each was taken, by the order of taking. */
  readonly #waiting = new Map<OutputRecord, number>();
  #waitingPoints = 0;
  #onIdle: (() => void) | undefined;
  readonly ready = Promise.resolve();

  constructor(options: DirectFeedOptions) {
    this.#options = options;
    const { settings, log } = options;
    this.#lossLog = new LossLog(
      settings.alias,
      log,
      settings.name === 'go' ? settings.logSuppressIntervalMs : 0,
    );
    const path = settings.name === 'go' ? settings.deadLetterFile : undefined;
    if (path !== undefined) {
      this.#setAside = new SetAsideFile({
        path,
        maxBytes: SET_ASIDE_MOST_BYTES,
        output: settings.alias,
        log,
      });
    }
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

  hurry(): void {
    this.#options.output.hurry?.();
  }

  async close(withinMs: number): Promise<FeedRemains> {
    if (this.#waiting.size > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
      const drained = this.#options.output.drain?.() ?? new Promise<void>(() => undefined);
      await isOverWithin(withinMs, Promise.race([idle, drained]));
    }
    await this.#options.output.close();
    await this.#setAside?.close();
    return { keptRecords: 0, keptPoints: 0 };
  }

  #count(record: OutputRecord, refusal: string | undefined, refusedPoints = record.points): void {
    if (refusal === undefined) {
      this.#counts.delivered(record);
      return;
    }
    this.#counts.setAside(record, refusedPoints);
    this.#setAside?.add(record, refusal);
    const fate = this.#setAside ? `set aside in ${this.#setAside.path}` : 'lost';
    this.#lossLog.say('refused', record.namespace, refusedPoints, `refused and ${fate}: ${refusal}`);
  }
}
