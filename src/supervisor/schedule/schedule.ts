import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import type { PluginInterval } from '../registry/plugin-definition.js';
import { type Clock, machineClock } from './clock.js';
import { type Due, DueHeap } from './due-heap.js';
import { type Moment, type Slots, slotsOf } from './slots.js';

/** What the schedule works with. */
export interface ScheduleOptions {
  /** Name of this host: with the plugin's key it says where in its interval a plugin runs. */
  readonly host: string;
  /**
   * Begins a run. `dueAtMs` (unix ms) is when it should have begun: the first slot that was missed, where several
   * were. Overlap is the callee's matter. What it throws or rejects with is logged and harms no other plugin.
   */
  readonly run: (key: string, dueAtMs: number) => void | Promise<void>;
  readonly log: Log;
  readonly clock?: Clock;
}

interface Entry {
  readonly key: string;
  readonly interval: PluginInterval;
  readonly slots: Slots;
  /** Its place in the heap; undefined while it has none. */
  due: Due<Entry> | undefined;
}

/** The timer is set for at most this long, so that a set clock or a sleep of the machine is noticed in time. */
const LONGEST_TIMER_MS = 60_000;
/**
 * After some runs were begun the next ones wait so long, so that those of a busy host begin many at a time: what two threads
 * do for a run costs a third less then.
 */
const BETWEEN_TURNS_MS = 25;
/** Runs begun in one go; other events have their turn before the next ones. */
const RUNS_PER_TURN = 100;
/** The two clocks differ by this much more or less than before: somebody set the wall clock. */
const CLOCK_SET_MS = 1000;

/**
 * Says when plugins run: one heap and one timer for all of them. Plugins with an interval in seconds go by the
 * monotonic clock from a phase of their own, cron expressions by the wall clock. Whatever time was missed (the
 * thread was blocked, the machine asleep, the clock set), a plugin runs once and then at its next regular slot.
 */
export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #heap = new DueHeap<Entry>();
  #cancelTimer: (() => void) | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #nextTurnAtMs = Number.NEGATIVE_INFINITY;
  /** Wall clock minus monotonic clock, as last seen. */
  #offsetMs: number;
  #firing = false;
  #closed = false;

  constructor(options: ScheduleOptions) {
    this.#options = options;
    this.#clock = options.clock ?? machineClock();
    const now = this.#now();
    this.#offsetMs = now.wallMs - now.monotonicMs;
  }

  /**
   * Schedules a plugin, or changes its interval; the same interval again changes nothing. An interval that can never
   * lead to a run (a wrong cron expression) is logged, and the plugin stays without runs.
   */
  set(key: string, interval: PluginInterval): void {
    const known = this.#entries.get(key);
    if (this.#closed || (known !== undefined && sameInterval(known.interval, interval))) return;
    this.remove(key);
    if (interval.kind === 'on-demand') return;
    try {
      const slots = slotsOf(interval, this.#options.host, key, this.#now());
      const entry: Entry = { key, interval, slots, due: undefined };
      this.#entries.set(key, entry);
      this.#place(entry);
    } catch (error) {
      this.#options.log.error({ plugin: key, interval }, `plugin ${key} will not run: ${reasonOf(error)}`);
    }
    this.#arm();
  }

  /** No further runs of this plugin; a key that is not scheduled is no error. */
  remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    if (entry.due !== undefined) this.#heap.cancel(entry.due);
    entry.slots.close();
  }

  /** When the plugin runs next; undefined for one that is not scheduled. */
  nextRunAt(key: string): Date | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    return new Date(entry.slots.dueWallMs ?? wallTimeOf(entry.slots.dueMs, this.#now()));
  }

  /** No further runs at all. */
  close(): void {
    this.#closed = true;
    for (const key of [...this.#entries.keys()]) this.remove(key);
    this.#heap.clear();
    this.#disarm();
  }

  #now(): Moment {
    return { wallMs: this.#clock.wallMs(), monotonicMs: this.#clock.monotonicMs() };
  }

  #place(entry: Entry): void {
    entry.due = this.#heap.add(entry.slots.dueMs, entry);
  }

  /** Gives a plugin another place; one that has no further slot is logged and taken out. */
  #move(entry: Entry, toItsSlot: () => void): void {
    if (entry.due !== undefined) this.#heap.cancel(entry.due);
    try {
      toItsSlot();
      this.#place(entry);
    } catch (error) {
      this.remove(entry.key);
      this.#options.log.error(
        { plugin: entry.key },
        `plugin ${entry.key} will not run again: ${reasonOf(error)}`,
      );
    }
  }

  /** Sets the timer for the earliest plugin, unless it goes off in time anyway. */
  #arm(): void {
    const first = this.#heap.peek();
    if (first === undefined || this.#firing || this.#closed || first.dueMs >= this.#timerAtMs) return;
    this.#disarm();
    const nowMs = this.#clock.monotonicMs();
    const turnAtMs = Math.max(first.dueMs, this.#nextTurnAtMs);
    const delayMs = Math.min(Math.max(Math.ceil(turnAtMs - nowMs), 0), LONGEST_TIMER_MS);
    this.#timerAtMs = nowMs + delayMs;
    this.#cancelTimer = this.#clock.setTimer(() => this.#wake(), delayMs);
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  #wake(): void {
    this.#disarm();
    const now = this.#now();
    this.#noticeSetClock(now);
    this.#firing = true;
    let begun = 0;
    for (; begun < RUNS_PER_TURN; begun += 1) {
      const due = this.#heap.takeDue(now.monotonicMs);
      if (due === undefined) break;
      this.#fire(due.value, now);
    }
    this.#firing = false;
    const areAllBegun = begun > 0 && begun < RUNS_PER_TURN;
    if (areAllBegun) this.#nextTurnAtMs = now.monotonicMs + BETWEEN_TURNS_MS;
    this.#arm();
  }

  /** Moves the plugin on before it runs, so that the run itself may remove it or change its interval. */
  #fire(entry: Entry, now: Moment): void {
    const { slots } = entry;
    if (slots.dueWallMs !== undefined && slots.dueWallMs > now.wallMs) {
      // The wall clock runs a little slower than the monotonic one: not yet, or this slot would come twice.
      this.#move(entry, () => slots.adjust(now));
      return;
    }
    const dueAtMs = slots.dueWallMs ?? wallTimeOf(slots.dueMs, now);
    this.#move(entry, () => slots.advance(now));
    this.#run(entry.key, dueAtMs);
  }

  #run(key: string, dueAtMs: number): void {
    try {
      this.#options.run(key, dueAtMs)?.catch((error: unknown) => this.#logFailure(key, error));
    } catch (error) {
      this.#logFailure(key, error);
    }
  }

  #logFailure(key: string, error: unknown): void {
    this.#options.log.error(
      { plugin: key, err: error },
      `run of plugin ${key} could not begin: ${reasonOf(error)}`,
    );
  }

  #noticeSetClock(now: Moment): void {
    const offsetMs = now.wallMs - now.monotonicMs;
    if (Math.abs(offsetMs - this.#offsetMs) < CLOCK_SET_MS) return;
    this.#offsetMs = offsetMs;
    for (const entry of [...this.#entries.values()]) {
      if (entry.slots.dueWallMs !== undefined) this.#move(entry, () => entry.slots.adjust(now));
    }
  }
}

function wallTimeOf(monotonicMs: number, now: Moment): number {
  return now.wallMs + monotonicMs - now.monotonicMs;
}

function sameInterval(one: PluginInterval, other: PluginInterval): boolean {
  if (one.kind === 'every') return other.kind === 'every' && one.seconds === other.seconds;
  if (one.kind === 'cron') return other.kind === 'cron' && one.expression === other.expression;
  return other.kind === 'on-demand';
}
