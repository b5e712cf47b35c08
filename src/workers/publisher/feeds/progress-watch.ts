/** Without any delivery for so long, while some are due, an output counts as away; beyond what it takes when all is well. */
export const AWAY_AFTER_MS = 1000;

/** Knows whether an output takes what it is given: it does as long as some delivery ends now and then. */
export class ProgressWatch {
  readonly #patienceMs: number;
  #due = 0;
  #progressAt = 0;
  #isAway = false;

  /** @param usualMs what a delivery may take when all is well, in milliseconds */
  constructor(usualMs = 0) {
    this.#patienceMs = usualMs + AWAY_AFTER_MS;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  /** True when no delivery is due. */
  get isIdle(): boolean {
    return this.#due === 0;
  }

  /** A delivery was begun. */
  begin(): void {
    if (this.#due === 0) this.#progressAt = performance.now();
    this.#due += 1;
  }

  /** A delivery has ended, in whichever way: the output is there. */
  end(): void {
    this.#due -= 1;
    this.#progressAt = performance.now();
    this.#isAway = false;
  }

  /** Call now and then; true when the output counts as away from now on. */
  check(): boolean {
    if (this.#isAway || this.#due === 0) return false;
    this.#isAway = performance.now() - this.#progressAt >= this.#patienceMs;
    return this.#isAway;
  }
}
