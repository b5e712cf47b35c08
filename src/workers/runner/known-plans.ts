import type { RunBatch, RunOrder, RunSpec } from '../../shared/messages.js';

/** A plan, and what was made of it for its runs. */
interface KnownPlan<Prepared> {
  readonly task: RunSpec;
  prepared: Prepared | undefined;
}

/** What the scheduled runs of each plugin have in common, as far as this worker was told. */
export class KnownPlans<Prepared> {
  readonly #prepare: (task: RunSpec) => Prepared;
  /** By the plugin's key. */
  readonly #known = new Map<string, KnownPlan<Prepared>>();

  /** @param prepare makes of a plugin's task what all of its runs need; called once for each plan, with its first run */
  constructor(prepare: (task: RunSpec) => Prepared) {
    this.#prepare = prepare;
  }

  /** Does what a batch says about plans; before its runs. */
  learn({ forgotten, plans }: Pick<RunBatch, 'forgotten' | 'plans'>): void {
    for (const key of forgotten) this.#known.delete(key);
    for (const { key, task } of plans) this.#known.set(key, { task, prepared: undefined });
  }

  /**
   * How a run is done.
   * @throws when it has a plan that this worker was not told, which the supervisor sees to
   */
  preparedFor(order: RunOrder): Prepared {
    if (!('plan' in order)) return this.#prepare(order);
    const known = this.#known.get(order.plan);
    if (known === undefined) throw new Error(`the runner was not told how ${order.plan} is run`);
    known.prepared ??= this.#prepare(known.task);
    return known.prepared;
  }
}
