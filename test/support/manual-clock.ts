import type { Clock } from '../../src/supervisor/schedule/clock.js';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** A clock that stands still until the test moves it. */
export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs: number;
  readonly #timers = new Set<Timer>();
  readonly #onWallTime: (wallMs: number) => void;

  /** `onWallTime` is told every new wall time, for what asks `Date` itself. */
  constructor(wallMs: number, monotonicMs = 5_000, onWallTime: (wallMs: number) => void = () => {}) {
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    this.#onWallTime = onWallTime;
    onWallTime(wallMs);
  }

  wallMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    const timer = { atMs: this.#monotonicMs + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Time passes, and every timer goes off at its time. */
  pass(ms: number): void {
    const until = this.#monotonicMs + ms;
    for (let timer = this.#firstUntil(until); timer !== undefined; timer = this.#firstUntil(until)) {
      this.#goTo(Math.max(timer.atMs, this.#monotonicMs));
      this.#timers.delete(timer);
      timer.callback();
    }
    this.#goTo(until);
  }

  /** Time passes while the thread is blocked or the machine asleep; the timers go off afterwards. */
  sleep(ms: number): void {
    this.#goTo(this.#monotonicMs + ms);
    this.pass(0);
  }

  /** Somebody sets the wall clock. */
  setWall(wallMs: number): void {
    this.#wallMs = wallMs;
    this.#onWallTime(wallMs);
  }

  #goTo(monotonicMs: number): void {
    this.setWall(this.#wallMs + monotonicMs - this.#monotonicMs);
    this.#monotonicMs = monotonicMs;
  }

  #firstUntil(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs <= untilMs && (first === undefined || timer.atMs < first.atMs)) first = timer;
    }
    return first;
  }
}
