import type { RunBatch, RunOrder, RunPlan, RunTask } from '../../shared/messages.js';

/** A run that goes to a worker by its plan, of which the worker is told where it does not know it. */
export interface ScheduledRun {
  readonly plan: RunPlan;
  readonly runId: number;
  readonly dueAtMs: number | undefined;
}

/** A run for the pool: a scheduled one, or a whole one. */
export type PoolRun = RunTask | ScheduledRun;

/** A batch that is written for its worker when that is known. */
export interface OpenBatch extends RunBatch {
  readonly forgotten: string[];
  readonly plans: RunPlan[];
  readonly runs: RunOrder[];
}

/** Plans of one worker. */
interface WorkerPlans {
  /** What it has, by the plugin's key. */
  readonly given: Map<string, RunPlan>;
  /** Keys of what it has and nobody needs any more; it hears of them with its next runs. */
  readonly outdated: Set<string>;
}

/** Remembers which plans each worker was given, so that each gets those that it lacks, once, with the runs. */
export class GivenPlans {
  /** By the id of the worker's thread, which no other one ever has. */
  readonly #workers = new Map<number, WorkerPlans>();

  /** A batch without anything in it. */
  static open(): OpenBatch {
    return { type: 'runs', forgotten: [], plans: [], runs: [] };
  }

  /** Writes into a batch what the worker with this thread must hear to do the runs; it is taken for sent from now on. */
  write(batch: OpenBatch, runs: readonly PoolRun[], threadId: number): void {
    const worker = this.#workerOf(threadId);
    batch.forgotten.push(...worker.outdated);
    worker.outdated.clear();
    for (const run of runs) batch.runs.push('plan' in run ? planned(run, batch, worker) : run);
  }

  /** No worker needs a plugin's plan any more. */
  forget(key: string): void {
    for (const { given, outdated } of this.#workers.values()) {
      if (given.delete(key)) outdated.add(key);
    }
  }

  /** The worker is gone, or did not get what was sent: if it is there, it has to be told everything again. */
  forgetWorker(threadId: number): void {
    this.#workers.delete(threadId);
  }

  #workerOf(threadId: number): WorkerPlans {
    const known = this.#workers.get(threadId);
    if (known !== undefined) return known;
    const worker: WorkerPlans = { given: new Map(), outdated: new Set() };
    this.#workers.set(threadId, worker);
    return worker;
  }
}

function planned({ plan, runId, dueAtMs }: ScheduledRun, batch: OpenBatch, { given }: WorkerPlans): RunOrder {
  if (given.get(plan.key) !== plan) {
    given.set(plan.key, plan);
    batch.plans.push(plan);
  }
  return { plan: plan.key, runId, dueAtMs };
}
