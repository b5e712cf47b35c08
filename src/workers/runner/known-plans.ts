import type { PlannedRun, RunBatch, RunOrder, RunPlan, RunTask } from '../../shared/messages.js';

/** What the scheduled runs of each plugin have in common, as far as this worker was told. */
export class KnownPlans {
  readonly #tasks = new Map<string, RunPlan['task']>();

  /** Does what a batch says about plans; before its runs. */
  learn({ forgotten, plans }: Pick<RunBatch, 'forgotten' | 'plans'>): void {
    for (const key of forgotten) this.#tasks.delete(key);
    for (const { key, task } of plans) this.#tasks.set(key, task);
  }

  /**
   * The whole of a run.
   * @throws when it has a plan that this worker was not told, which the supervisor sees to
   */
  taskOf(order: RunOrder): RunTask {
    return 'plan' in order ? this.#planned(order) : order;
  }

  #planned({ plan, runId, dueAtMs }: PlannedRun): RunTask {
    const task = this.#tasks.get(plan);
    if (task === undefined) throw new Error(`the runner was not told how ${plan} is run`);
    return { ...task, runId, dueAtMs };
  }
}
