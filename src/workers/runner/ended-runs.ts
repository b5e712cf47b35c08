import type { EndedRun } from '../../shared/messages.js';

/** A run's end is told this much later at most. */
const TELL_WITHIN_MS = 6;

/**
 * Tells of runs that have ended. A message costs more than what stands in it, and wakes a thread: it is sent when as many
 * runs have ended as go on, so that their places are taken again before the others are free, and else in time.
 */
export class EndedRuns {
  readonly #send: (ended: readonly EndedRun[]) => void;
  #underWay = 0;
  #untold: EndedRun[] = [];
  #inTime: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;

  /** @param send tells the supervisor */
  constructor(send: (ended: readonly EndedRun[]) => void) {
    this.#send = send;
  }

  /** To be called for each run that begins. */
  begin(): void {
    this.#underWay += 1;
  }

  end(ended: EndedRun): void {
    this.#underWay -= 1;
    this.#untold.push(ended);
    // Not at once: the same look at the children may find others that have ended.
    if (this.#untold.length >= this.#underWay) this.#soon ??= setImmediate(() => this.#tell());
    else this.#inTime ??= setTimeout(() => this.#tell(), TELL_WITHIN_MS);
  }

  #tell(): void {
    clearImmediate(this.#soon);
    clearTimeout(this.#inTime);
    this.#soon = undefined;
    this.#inTime = undefined;
    const untold = this.#untold;
    this.#untold = [];
    this.#send(untold);
  }
}
