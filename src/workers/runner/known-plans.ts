import type { RunBatch, RunOrder, RunSpec } from '../../shared/messages.js';

/** What the scheduled runs of each plugin have in common, as far as this worker was told. */
export class KnownPlans<Prepared> {
  readonly #prepare: (spec: RunSpec) => Prepared;
  /** By the plugin's key. */
  readonly #known = new Map<string, Prepared>();

  /** @param prepare makes of a plugin's task what all of its runs need; called once for each plan */
  constructor(prepare: (spec: RunSpec) => Prepared) {
    this.#prepare = prepare;
  }

  /** Does what a batch says about plans; before its runs. */
  learn({ forgotten, plans }: Pick<RunBatch, 'forgotten' | 'plans'>): void {
    for (const key of forgotten) this.#known.delete(key);
    for (const { key, task } of plans) this.#known.set(key, this.#prepare(task));
  }

  /**
   * How a run is done.
   * @throws when it has a plan that this worker was not told, which the supervisor sees to
   */
  preparedFor(order: RunOrder): Prepared {
    if (!('plan' in order)) return this.#prepare(order);
    const known = this.#known.get(order.plan);
    if (known === undefined) throw new Error(`the runner was not told how ${order.plan} is run`);
    return known;
  }
}
