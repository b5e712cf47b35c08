import type { MessagePort } from 'node:worker_threads';
import { reasonOf } from '../../shared/coded-error.js';
import type { RunOrder, RunOutcome, RunsEnded, ToShift } from '../../shared/messages.js';
import { EndedRuns } from './ended-runs.js';
import { KnownPlans } from './known-plans.js';
import { type Runner, runPlugin } from './plugin-run.js';

/** Does the runs that come by a port, and tells there of each soon after it has ended. Resolves when the shift is over. */
export function workShift(port: MessagePort, runner: Runner): Promise<void> {
  const plans = new KnownPlans();
  const endedRuns = new EndedRuns((ended) => port.postMessage({ type: 'ended', ended } satisfies RunsEnded));
  return new Promise((resolve) => {
    port.on('message', (message: ToShift) => {
      if (message.type === 'end') {
        port.close();
        resolve();
        return;
      }
      plans.learn(message);
      for (const order of message.runs) void run(order, { plans, endedRuns, runner });
    });
  });
}

/** What the runs of a shift share. */
interface ShiftParts {
  readonly plans: KnownPlans;
  readonly endedRuns: EndedRuns;
  readonly runner: Runner;
}

async function run(order: RunOrder, { plans, endedRuns, runner }: ShiftParts): Promise<void> {
  const { runId } = order;
  try {
    const outcome = await runPlugin(plans.taskOf(order), runner);
    endedRuns.add({ runId, outcome: 'plan' in order ? withoutDetails(outcome) : outcome });
  } catch (error) {
    endedRuns.add({ runId, problem: reasonOf(error) });
  }
}

/** Without what only those ask for who wait for a run. */
function withoutDetails(outcome: RunOutcome): RunOutcome {
  return { ...outcome, usage: undefined, stdoutEnd: '', stderrEnd: '' };
}
