import type { RunOutcome, RunSummary } from '../../src/shared/messages.js';
import type { PoolRun } from '../../src/supervisor/plugins/given-plans.js';
import type { RunnerPool } from '../../src/supervisor/plugins/runner-pool.js';

/** Does a run in a pool as the supervisor has it. Rejects when the worker dies under it, or could not do it. */
export function runIn(pool: RunnerPool, run: PoolRun): Promise<RunSummary | RunOutcome> {
  return new Promise((resolve, reject) => {
    pool.begin(run, (end) => {
      if ('outcome' in end) resolve(end.outcome);
      else reject(new Error(end.problem));
    });
  });
}
