import { fullJitterMs } from './back-off.js';

/** How long to wait before a thread that has died is started again: longer with each failure in a row. */
export class RestartDelays {
  readonly #baseMs: number;
  readonly #capMs: number;
  #failures = 0;
  #startedAt = 0;

  constructor(baseMs: number, capMs: number) {
    this.#baseMs = baseMs;
    this.#capMs = capMs;
  }

  noteStart(): void {
    this.#startedAt = performance.now();
  }

  /** To be called once for each end; one that lasted longer than the longest delay was the last of its row. */
  next(): { readonly failures: number; readonly delayMs: number } {
    if (performance.now() - this.#startedAt > this.#capMs) this.#failures = 0;
    this.#failures += 1;
    return { failures: this.#failures, delayMs: fullJitterMs(this.#failures, this.#baseMs, this.#capMs) };
  }
}
