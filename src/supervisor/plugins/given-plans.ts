import type { RunBatch, RunOrder, RunPlan, RunTask } from '../../shared/messages.js';

/** A run that goes to a worker by its plan, of which the worker is told where it does not know it. */
export interface ScheduledRun {
  readonly plan: RunPlan;
  readonly runId: number;
  readonly dueAtMs: number | undefined;
}

/** A run for the pool: a scheduled one, or a whole one. */
export type PoolRun = RunTask | ScheduledRun;

/** A batch to which runs are still added. */
export interface OpenBatch extends RunBatch {
  readonly plans: RunPlan[];
  readonly runs: RunOrder[];
}

/** Remembers which plans a worker on shift was given, so that it gets those that it lacks, once, with the runs. */
export class GivenPlans {
  /** What it has, by the plugin's key. */
  readonly #given = new Map<string, RunPlan>();
  /** Keys of what it has and nobody needs any more; it hears of them with its next runs. */
  readonly #outdated = new Set<string>();

  /** A batch without runs; it is taken for sent from now on. */
  open(): OpenBatch {
    const forgotten = [...this.#outdated];
    this.#outdated.clear();
    return { type: 'runs', forgotten, plans: [], runs: [] };
  }

  /** Writes into a batch what the worker must hear to do the run. */
  write(batch: OpenBatch, run: PoolRun): void {
    batch.runs.push('plan' in run ? this.#planned(run, batch) : run);
  }

  /** The worker needs a plugin's plan no more. */
  forget(key: string): void {
    if (this.#given.delete(key)) this.#outdated.add(key);
  }

  #planned({ plan, runId, dueAtMs }: ScheduledRun, batch: OpenBatch): RunOrder {
    if (this.#given.get(plan.key) !== plan) {
      this.#given.set(plan.key, plan);
      batch.plans.push(plan);
    }
    return { plan: plan.key, runId, dueAtMs };
  }
}
