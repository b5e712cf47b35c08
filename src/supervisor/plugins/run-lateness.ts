import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** How late runs began, from when they were due to when their process was started, in ms. */
export interface Lateness {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const WINDOW_MS = 60_000;

/** The lateness of the scheduled runs of the last one to two minutes. Windows end by the clock, whoever looks. */
export class RunLateness {
  readonly #now: () => number;
  #windowEndsAtMs: number;
  #window = createHistogram();
  #lastWindow = createHistogram();

  /** @param now a clock that is never set, in ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#windowEndsAtMs = now() + WINDOW_MS;
  }

  note(latenessMs: number): void {
    this.#turn();
    // The histogram counts from 1 on.
    this.#window.record(Math.max(0, Math.round(latenessMs)) + 1);
  }

  /** All 0 when there were no runs. */
  read(): Lateness {
    this.#turn();
    const both: RecordableHistogram = createHistogram();
    both.add(this.#lastWindow);
    both.add(this.#window);
    if (both.count === 0) return { p50Ms: 0, p99Ms: 0, maxMs: 0 };
    return { p50Ms: both.percentile(50) - 1, p99Ms: both.percentile(99) - 1, maxMs: both.max - 1 };
  }

  #turn(): void {
    const nowMs = this.#now();
    if (nowMs < this.#windowEndsAtMs) return;
    const isOneOver = nowMs < this.#windowEndsAtMs + WINDOW_MS;
    this.#lastWindow = isOneOver ? this.#window : createHistogram();
    this.#window = createHistogram();
    this.#windowEndsAtMs += WINDOW_MS * (Math.floor((nowMs - this.#windowEndsAtMs) / WINDOW_MS) + 1);
  }
}
