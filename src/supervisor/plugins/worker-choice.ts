import { queueOptionsSymbol } from 'piscina';

/** A worker looks after this many runs at once; most of their time is waiting for a child. */
const RUNS_PER_WORKER = 4096;

/**
 * A worker gets this many runs before the next one gets any: what one thread does by itself, it does with warm caches and
 * without waiting for others. Starting a process does not hold it up, so that it can look after the plugins of four
 * processors.
 */
export const RUNS_BEFORE_NEXT_WORKER = 16;

/** What a post weighs, in runs: it keeps its thread busy all the time, so that the next one goes elsewhere. */
export const POST_WEIGHT = RUNS_BEFORE_NEXT_WORKER;

/** How much a task of the pool weighs, and which worker has it. */
interface Weight {
  readonly runs: number;
  readonly chosen: ((threadId: number) => void) | undefined;
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

/**
 * Chooses the worker for a task: the first one that has room, and when none has, the one with the fewest runs. The pool
 * itself counts tasks, which hold several.
 */
export class WorkerChoice {
  readonly #maxWorkers: number;
  /** Runs under way, by the id of the worker's thread. */
  readonly #runs = new Map<number, number>();

  constructor(maxWorkers: number) {
    this.#maxWorkers = maxWorkers;
  }

  /**
   * Says what a task weighs.
   * @param chosen called with the id of the worker's thread right before the task is sent there
   */
  weigh<T extends object>(task: T, runs: number, chosen?: (threadId: number) => void): WeighedTask<T> {
    const weight: Weight = { runs, chosen, threadId: undefined };
    const done = (): void => {
      if (weight.threadId !== undefined) this.#add(weight.threadId, -weight.runs);
    };
    return { task: { ...task, [queueOptionsSymbol]: weight }, done };
  }

  /**
   * How many runs to give in one task now; the next one may go elsewhere.
   * @param workers in the order in which `choose` gets them
   */
  taskSize(workers: readonly PoolWorker[]): number {
    const first = this.#firstWithRoom(workers);
    return first === undefined ? 1 : RUNS_BEFORE_NEXT_WORKER - this.#runsOf(first);
  }

  /** A worker; null, which makes the pool start another one, while that helps. */
  choose<T extends PoolWorker>(task: object, workers: readonly T[]): T | null {
    const worker = this.#firstWithRoom(workers) ?? this.#leastBusy(workers);
    if (worker === undefined) return null;
    const weight = (task as { readonly [queueOptionsSymbol]?: Weight })[queueOptionsSymbol];
    if (weight) {
      weight.threadId = worker.id;
      this.#add(worker.id, weight.runs);
      weight.chosen?.(worker.id);
    }
    return worker;
  }

  #firstWithRoom<T extends PoolWorker>(workers: readonly T[]): T | undefined {
    return workers.find((worker) => this.#runsOf(worker) < RUNS_BEFORE_NEXT_WORKER);
  }

  /** Undefined when another worker should be started. */
  #leastBusy<T extends PoolWorker>(workers: readonly T[]): T | undefined {
    if (workers.length < this.#maxWorkers) return undefined;
    let best: T | undefined;
    for (const worker of workers) {
      if (best === undefined || this.#runsOf(worker) < this.#runsOf(best)) best = worker;
    }
    return best !== undefined && this.#runsOf(best) < RUNS_PER_WORKER ? best : undefined;
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
