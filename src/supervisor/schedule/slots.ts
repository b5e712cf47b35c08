import { createTask, type ScheduledTask } from 'node-cron';
import type { PluginInterval } from '../registry/plugin-definition.js';
import { firstSlotAtMs, nextSlotMs, phaseMs } from './phase.js';

/** One moment on both clocks, in ms. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** The times at which one plugin runs. */
export interface Slots {
  /** The next slot, on the monotonic clock. */
  readonly dueMs: number;
  /** Its time on the wall clock where the plugin goes by that (a cron expression), undefined where it does not. */
  readonly dueWallMs: number | undefined;
  /** Moves on to the first slot later than `now`, however many lie between. Throws when there is none. */
  advance(now: Moment): void;
  /** The wall clock was set: finds anew where the slot lies on the monotonic clock. */
  adjust(now: Moment): void;
  close(): void;
}

/** An interval that leads to runs by itself. */
export type TimedInterval = Exclude<PluginInterval, { readonly kind: 'on-demand' }>;

/** The slots of an interval from `now` on. Throws when the interval has none. */
export function slotsOf(interval: TimedInterval, host: string, key: string, now: Moment): Slots {
  if (interval.kind === 'every') return new EverySlots(interval.seconds * 1000, host, key, now);
  return new CronSlots(interval.expression, now);
}

/** Every so many ms. The wall clock says where to begin, afterwards only the monotonic clock counts: no drift, no jump. */
class EverySlots implements Slots {
  readonly dueWallMs = undefined;
  readonly #intervalMs: number;
  #dueMs: number;

  constructor(intervalMs: number, host: string, key: string, now: Moment) {
    if (!(intervalMs >= 1 && Number.isFinite(intervalMs))) {
      throw new RangeError(`an interval of ${intervalMs / 1000} s is not possible`);
    }
    this.#intervalMs = intervalMs;
    const firstAtMs = firstSlotAtMs(now.wallMs, phaseMs(host, key, intervalMs), intervalMs);
    this.#dueMs = now.monotonicMs + firstAtMs - now.wallMs;
  }

  get dueMs(): number {
    return this.#dueMs;
  }

  advance(now: Moment): void {
    this.#dueMs = nextSlotMs(this.#dueMs, now.monotonicMs, this.#intervalMs);
  }

  adjust(): void {}

  close(): void {}
}

/**
 * The times of a cron expression, in the agent's time zone. node-cron knows the expressions, but its own timers are
 * not used: after a sleep they walk through every slot that was missed, which takes seconds to hours, and after the
 * clock was set back they stay silent until the old time comes again.
 */
class CronSlots implements Slots {
  readonly #task: ScheduledTask;
  #dueMs = 0;
  #dueWallMs = 0;

  constructor(expression: string, now: Moment) {
    this.#task = createTask(expression, () => undefined, { suppressMissedWarning: true });
    try {
      this.advance(now);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get dueMs(): number {
    return this.#dueMs;
  }

  get dueWallMs(): number {
    return this.#dueWallMs;
  }

  advance(now: Moment): void {
    const [next] = this.#task.getNextRuns(1);
    if (next === undefined) throw new RangeError('the expression has no next time');
    this.#dueWallMs = next.getTime();
    this.#place(now);
  }

  adjust(now: Moment): void {
    // A slot that the clock jumped over is due now; set back, there may be an earlier slot than the one waited for.
    if (now.wallMs >= this.#dueWallMs) this.#place(now);
    else this.advance(now);
  }

  close(): void {
    void this.#task.destroy();
  }

  #place(now: Moment): void {
    this.#dueMs = now.monotonicMs + this.#dueWallMs - now.wallMs;
  }
}
