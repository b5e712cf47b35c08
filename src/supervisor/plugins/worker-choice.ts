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
  readonly isShift: boolean;
  readonly chosen: ((threadId: number) => void) | undefined;
  threadId: number | undefined;
}

/** A task that the pool may be given: it is weighed until `done` is called. */
export interface WeighedTask<T> {
  readonly task: T;
  done(): void;
}

/** What of a worker those show who choose between workers. */
interface Choosable {
  /** Of its thread. */
  readonly id: number;
}

/**
 * Chooses workers: the first one that has room, and when none has, the one with the fewest runs. The pool itself counts
 * tasks: a shift is one, whatever it holds.
 */
export class WorkerChoice {
  /** There are never more. */
  readonly maxWorkers: number;
  /** Runs under way, by the id of the worker's thread. */
  readonly #runs = new Map<number, number>();
  /** Ids of the threads that have a shift. */
  readonly #onShift = new Set<number>();

  constructor(maxWorkers: number) {
    this.maxWorkers = maxWorkers;
  }

  /** Says what a task weighs, in runs. */
  weigh<T extends object>(task: T, runs: number): WeighedTask<T> {
    return this.#weighed(task, { runs, isShift: false, chosen: undefined, threadId: undefined });
  }

  /**
   * Says that a task is a shift. It goes to a worker that has none yet; what it weighs is told with `add`.
   * @param chosen called with the id of the worker's thread right before the task is sent there
   */
  weighShift<T extends object>(task: T, chosen: (threadId: number) => void): WeighedTask<T> {
    return this.#weighed(task, { runs: 0, isShift: true, chosen, threadId: undefined });
  }

  /** Counts runs that a worker is given; less than 0: that have ended. */
  add(threadId: number, runs: number): void {
    const sum = this.#runsOf(threadId) + runs;
    if (sum > 0) this.#runs.set(threadId, sum);
    else this.#runs.delete(threadId);
  }

  /** Whether a worker should get another run before the next worker gets any. */
  hasRoom(threadId: number): boolean {
    return this.#runsOf(threadId) < RUNS_BEFORE_NEXT_WORKER;
  }

  /** Undefined when there is none that can look after one more. */
  leastBusy<T extends Choosable>(workers: readonly T[]): T | undefined {
    let best: T | undefined;
    for (const worker of workers) {
      if (best === undefined || this.#runsOf(worker.id) < this.#runsOf(best.id)) best = worker;
    }
    return best !== undefined && this.#runsOf(best.id) < RUNS_PER_WORKER ? best : undefined;
  }

  /** A worker; null, which makes the pool start another one, while that helps. */
  choose<T extends Choosable>(task: object, workers: readonly T[]): T | null {
    const weight = (task as { readonly [queueOptionsSymbol]?: Weight })[queueOptionsSymbol];
    const worker = weight?.isShift ? this.#forShift(workers) : this.#forTask(workers, workers);
    if (worker === undefined) return null;
    if (weight) this.#place(weight, worker.id);
    return worker;
  }

  /** A worker on shift only gets another one when all are and there may be no more of them. */
  #forShift<T extends Choosable>(workers: readonly T[]): T | undefined {
    const free = workers.filter(({ id }) => !this.#onShift.has(id));
    return this.#forTask(free, workers) ?? (this.#mayBeMore(workers) ? undefined : this.leastBusy(workers));
  }

  #forTask<T extends Choosable>(candidates: readonly T[], workers: readonly T[]): T | undefined {
    const withRoom = candidates.find(({ id }) => this.hasRoom(id));
    return withRoom ?? (this.#mayBeMore(workers) ? undefined : this.leastBusy(candidates));
  }

  #mayBeMore(workers: readonly unknown[]): boolean {
    return workers.length < this.maxWorkers;
  }

  #weighed<T extends object>(task: T, weight: Weight): WeighedTask<T> {
    const done = () => this.#release(weight);
    return { task: { ...task, [queueOptionsSymbol]: weight }, done };
  }

  #place(weight: Weight, threadId: number): void {
    weight.threadId = threadId;
    this.add(threadId, weight.runs);
    if (weight.isShift) this.#onShift.add(threadId);
    weight.chosen?.(threadId);
  }

  #release({ threadId, runs, isShift }: Weight): void {
    if (threadId === undefined) return;
    this.add(threadId, -runs);
    if (isShift) this.#onShift.delete(threadId);
  }

  #runsOf(threadId: number): number {
    return this.#runs.get(threadId) ?? 0;
  }
}
