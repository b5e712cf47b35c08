import type { EndedRun } from '../../shared/messages.js';

/** Says which runs have ended: those of one turn of the event loop together. */
export class EndedRuns {
  readonly #send: (ended: readonly EndedRun[]) => void;
  #ended: EndedRun[] = [];

  constructor(send: (ended: readonly EndedRun[]) => void) {
    this.#send = send;
  }

  add(ended: EndedRun): void {
    if (this.#ended.length === 0) setImmediate(() => this.#sendAll());
    this.#ended.push(ended);
  }

  #sendAll(): void {
    const ended = this.#ended;
    this.#ended = [];
    this.#send(ended);
  }
}
