import type { EndedRun, RunOutcome } from '../../shared/messages.js';
import type { PoolRun } from './given-plans.js';

interface WaitingRun {
  readonly resolve: (outcome: RunOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers the runs that begin in one turn of the event loop, so that a worker hears of several in one message: passing a
 * message costs more than what stands in it.
 */
export class RunBatches {
  readonly #send: (runs: readonly PoolRun[]) => Promise<unknown>;
  readonly #nextSize: () => number;
  readonly #waiting = new Map<number, WaitingRun>();
  #gathered: PoolRun[] = [];

  /**
   * @param nextSize how many runs the next batch has at most; asked before each
   * @param send gives a batch to a worker; rejects when that dies under it
   */
  constructor(nextSize: () => number, send: (runs: readonly PoolRun[]) => Promise<unknown>) {
    this.#nextSize = nextSize;
    this.#send = send;
  }

  /** Resolves when the run has ended; rejects when its worker died, or could not do it. */
  run(run: PoolRun): Promise<RunOutcome> {
    if (this.#gathered.length === 0) setImmediate(() => this.#sendGathered());
    this.#gathered.push(run);
    return new Promise((resolve, reject) => this.#waiting.set(run.runId, { resolve, reject }));
  }

  /** To be called with what a worker says of runs that have ended. */
  end(ended: readonly EndedRun[]): void {
    for (const end of ended) {
      const waiting = this.#take(end.runId);
      if ('outcome' in end) waiting?.resolve(end.outcome);
      else if ('summary' in end) waiting?.resolve(end.summary as RunOutcome);
      else waiting?.reject(new Error(end.problem));
    }
  }

  #sendGathered(): void {
    const gathered = this.#gathered;
    this.#gathered = [];
    let sent = 0;
    while (sent < gathered.length) {
      const batch = gathered.slice(sent, sent + this.#nextSize());
      sent += batch.length;
      void this.#sendBatch(batch);
    }
  }

  async #sendBatch(runs: readonly PoolRun[]): Promise<void> {
    try {
      await this.#send(runs);
    } catch (error) {
      for (const { runId } of runs) this.#take(runId)?.reject(error);
    }
  }

  #take(runId: number): WaitingRun | undefined {
    const waiting = this.#waiting.get(runId);
    this.#waiting.delete(runId);
    return waiting;
  }
}
