import { createHash } from 'node:crypto';
import cron, { type ScheduledTask } from 'node-cron';
import { fullJitterMs } from '../../shared/back-off.js';
import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import { cronLogger } from '../log/cron-logger.js';
import { DocumentWatch } from './document-watch.js';
import type { RegistryView } from './registry-view.js';

/** What the jobs need to know of a sync. */
export type SyncResult = Pick<RegistryView, 'stale'>;

/** What the jobs do, and when. */
export interface RegistryJobsOptions<Result extends SyncResult> {
  /** Asks the registry and does what it wants. Rejects when the registry cannot be asked. */
  readonly sync: () => Promise<Result>;
  /** Undefined where there is nobody to report to. */
  readonly report: (() => Promise<void>) | undefined;
  /** Watched, where the registry is a document on this machine. */
  readonly documentPath: string | undefined;
  /** Gives the host its place within the ten minutes. */
  readonly hostname: string;
  readonly log: Log;
  /** The times below are for tests; they have defaults. */
  readonly syncExpression?: string;
  readonly reportExpression?: string;
  readonly reportSpreadMs?: number;
  readonly backOffBaseMs?: number;
  readonly backOffCapMs?: number;
}

const WINDOW_SECONDS = 600;
const SYNC_JITTER_MS = 15_000;
/** Leaves room for the report itself before the next window begins. */
const REPORT_SPREAD_MS = (WINDOW_SECONDS - 30) * 1000;
const BACK_OFF_BASE_MS = 2000;
const BACK_OFF_CAP_MS = 300_000;

/** Keeps in touch with the registry: on the clock, when its document changes, and again soon after a failure. */
export class RegistryJobs<Result extends SyncResult> {
  readonly #options: RegistryJobsOptions<Result>;
  readonly #tasks: readonly ScheduledTask[];
  readonly #watch: DocumentWatch | undefined;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  /** Begins; the first sync on the clock may be ten minutes away, so call `syncNow` as well. */
  constructor(options: RegistryJobsOptions<Result>) {
    this.#options = options;
    const { documentPath, hostname } = options;
    const tasks = [
      this.#schedule(options.syncExpression ?? tenMinutely(hostname), SYNC_JITTER_MS, () =>
        this.#syncQuietly(),
      ),
    ];
    if (options.report !== undefined) {
      tasks.push(
        this.#schedule(
          options.reportExpression ?? '*/10 * * * *',
          options.reportSpreadMs ?? REPORT_SPREAD_MS,
          () => this.#reportQuietly(),
        ),
      );
    }
    this.#tasks = tasks;
    this.#watch =
      documentPath === undefined
        ? undefined
        : new DocumentWatch(documentPath, () => void this.#syncQuietly());
  }

  /** Syncs now. After a failure, of the whole or of a namespace, it is tried again on its own until it succeeds. */
  async syncNow(): Promise<Result> {
    clearTimeout(this.#retry);
    try {
      const result = await this.#options.sync();
      if (result.stale.length === 0) this.#failures = 0;
      else this.#retryLater();
      return result;
    } catch (error) {
      this.#retryLater();
      throw error;
    }
  }

  /** Nothing begins after it; what is under way ends by itself. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#watch?.close();
    await Promise.all(this.#tasks.map((task) => task.destroy()));
  }

  #schedule(expression: string, spreadMs: number, job: () => Promise<void>): ScheduledTask {
    return cron.schedule(expression, job, {
      // In local time the repeated hour at the end of summer time would be left out.
      timezone: 'UTC',
      noOverlap: true,
      maxRandomDelay: spreadMs,
      // A machine that slept over a slot catches it up once, not ten minutes later.
      missedExecutionTolerance: WINDOW_SECONDS * 1000,
      suppressMissedWarning: true,
      unref: true,
      logger: cronLogger(this.#options.log),
    });
  }

  async #syncQuietly(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.syncNow();
    } catch (error) {
      if (this.#closed) return;
      this.#options.log.warn({}, `going on with what is known: ${reasonOf(error)}`);
    }
  }

  async #reportQuietly(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#options.report?.();
    } catch (error) {
      if (this.#closed) return;
      this.#options.log.warn(
        {},
        `the report to the registry failed, the next one is due in ten minutes: ${reasonOf(error)}`,
      );
    }
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#failures += 1;
    const { backOffBaseMs = BACK_OFF_BASE_MS, backOffCapMs = BACK_OFF_CAP_MS } = this.#options;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(
      () => void this.#syncQuietly(),
      fullJitterMs(this.#failures, backOffBaseMs, backOffCapMs),
    ).unref();
  }
}

/** Every ten minutes, at a place within them that is the host's own, so that a fleet does not ask at once. */
export function tenMinutely(hostname: string): string {
  const place = createHash('sha256').update(hostname).digest().readUInt32BE(0) % WINDOW_SECONDS;
  const minutes = [0, 10, 20, 30, 40, 50].map((minute) => minute + Math.floor(place / 60));
  return `${place % 60} ${minutes.join(',')} * * * *`;
}
