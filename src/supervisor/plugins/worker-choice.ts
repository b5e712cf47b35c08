import { queueOptionsSymbol } from 'piscina';

/** A worker looks after this many runs at once; most of their time is waiting for a child. */
const RUNS_PER_WORKER = 4096;

/**
 * With this many runs in every worker another worker is started, as long as there may be more. Starting a process blocks
 * its thread until the program is loaded, so that all threads have to work before all places (four for each) are taken.
 */
const RUNS_BEFORE_NEXT_WORKER = 4;

/** How much a task of the pool weighs, and which worker has it. */
interface Weight {
  readonly runs: number;
  threadId: number | undefined;
}

/** A task that the pool may be given: it is weighed until `done` is called. */
export interface WeighedTask<T> {
  readonly task: T;
  done(): void;
}

/** What of a worker the pool shows to whoever chooses between workers. */
interface PoolWorker {
  readonly id: number;
}

/** Chooses the worker for a task: the one with the fewest runs. The pool itself counts tasks, which hold several. */
export class WorkerChoice {
  readonly #maxWorkers: number;
  /** Runs under way, by the id of the worker's thread. */
  readonly #runs = new Map<number, number>();

  constructor(maxWorkers: number) {
    this.#maxWorkers = maxWorkers;
  }

  /** Says what a task weighs. */
  weigh<T extends object>(task: T, runs: number): WeighedTask<T> {
    const weight: Weight = { runs, threadId: undefined };
    const done = (): void => {
      if (weight.threadId !== undefined) this.#add(weight.threadId, -weight.runs);
    };
    return { task: { ...task, [queueOptionsSymbol]: weight }, done };
  }

  /** The worker with the fewest runs; null, which makes the pool start another one, while that helps. */
  choose<T extends PoolWorker>(task: object, workers: readonly T[]): T | null {
    const best = this.#leastBusy(workers);
    if (best === undefined) return null;
    const runs = this.#runsOf(best);
    if (runs >= RUNS_PER_WORKER) return null;
    if (runs >= RUNS_BEFORE_NEXT_WORKER && workers.length < this.#maxWorkers) return null;
    const weight = (task as { readonly [queueOptionsSymbol]?: Weight })[queueOptionsSymbol];
    if (weight) {
      weight.threadId = best.id;
      this.#add(best.id, weight.runs);
    }
    return best;
  }

  #leastBusy<T extends PoolWorker>(workers: readonly T[]): T | undefined {
    let best: T | undefined;
    for (const worker of workers) {
      if (best === undefined || this.#runsOf(worker) < this.#runsOf(best)) best = worker;
    }
    return best;
  }

  #runsOf({ id }: PoolWorker): number {
    return this.#runs.get(id) ?? 0;
  }

  #add(threadId: number, runs: number): void {
    const sum = (this.#runs.get(threadId) ?? 0) + runs;
    if (sum > 0) this.#runs.set(threadId, sum);
    else this.#runs.delete(threadId);
  }
}
