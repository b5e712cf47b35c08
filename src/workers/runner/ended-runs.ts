import type { EndedRun } from '../../shared/messages.js';

/** A run's end is told this much later at most: until then other ends come along, as a message costs more than what stands in it. */
const TELL_WITHIN_MS = 2;

/** Runs that have ended and that the supervisor has not heard of yet. */
export class EndedRuns {
  readonly #send: (ended: readonly EndedRun[]) => void;
  #ended: EndedRun[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param send tells the supervisor, when nothing else does in time */
  constructor(send: (ended: readonly EndedRun[]) => void) {
    this.#send = send;
  }

  add(ended: EndedRun): void {
    this.#ended.push(ended);
    this.#timer ??= setTimeout(() => this.#send(this.take()), TELL_WITHIN_MS);
  }

  /** All that have ended, to be told now. */
  take(): readonly EndedRun[] {
    const ended = this.#ended;
    this.#ended = [];
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return ended;
  }
}
