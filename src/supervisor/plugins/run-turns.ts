import pLimit, { type LimitFunction } from 'p-limit';
import type { Log } from '../../shared/log.js';

/** A host that is short of places says so this often at most. */
const WARN_EVERY_MS = 60_000;

/**
 * Places for scheduled runs, first come first served. Plugins that hung the last time never hold all of them: at
 * least half are left for the others.
 */
export class RunTurns {
  readonly #places: number;
  readonly #all: LimitFunction;
  readonly #hanging: LimitFunction;
  readonly #log: Log;
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  /** @param places runs that may go on at the same time (`[runner] maxprocesses`) */
  constructor(places: number, log: Log) {
    this.#places = places;
    this.#all = pLimit(places);
    this.#hanging = pLimit(Math.max(1, Math.floor(places / 2)));
    this.#log = log;
  }

  /** Does a run when there is a place for it. After `close` it never does. */
  async take(hungBefore: boolean, run: () => Promise<void>): Promise<void> {
    if (this.#all.activeCount >= this.#places) this.#warn();
    if (hungBefore) await this.#hanging(() => this.#all(run));
    else await this.#all(run);
  }

  /** Forgets the runs that wait. */
  close(): void {
    this.#hanging.clearQueue();
    this.#all.clearQueue();
  }

  #warn(): void {
    const nowMs = performance.now();
    if (nowMs - this.#warnedAtMs < WARN_EVERY_MS) return;
    this.#warnedAtMs = nowMs;
    this.#log.warn(
      { maxprocesses: this.#places },
      `${this.#places} plugins are running at once and more are due: these wait; raise [runner] maxprocesses, or see in /plugins/list which ones take long`,
    );
  }
}
