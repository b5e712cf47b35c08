import type { MessagePort } from 'node:worker_threads';
import { reasonOf } from '../../shared/coded-error.js';
import type { RunOrder, RunOutcome, RunSummary, RunsEnded, ToShift } from '../../shared/messages.js';
import { EndedRuns } from './ended-runs.js';
import { KnownPlans } from './known-plans.js';
import { runPlugin } from './plugin-run.js';
import { type PreparedTask, prepareTask } from './prepared-task.js';
import type { Runner } from './runner.js';

/** Does the runs that come by a port, and tells there of each soon after it has ended. Resolves when the shift is over. */
export function workShift(port: MessagePort, runner: Runner): Promise<void> {
  const plans = new KnownPlans((spec) => prepareTask(spec, runner));
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
  readonly plans: KnownPlans<PreparedTask>;
  readonly endedRuns: EndedRuns;
  readonly runner: Runner;
}

async function run(order: RunOrder, { plans, endedRuns, runner }: ShiftParts): Promise<void> {
  const { runId } = order;
  endedRuns.begin();
  try {
    const task = plans.preparedFor(order);
    const isAwaited = !('plan' in order);
    const outcome = await runPlugin({ task, runId, dueAtMs: order.dueAtMs, isAwaited }, runner);
    endedRuns.end({ runId, outcome: isAwaited ? outcome : summaryOf(outcome) });
  } catch (error) {
    endedRuns.end({ runId, problem: reasonOf(error) });
  }
}

function summaryOf({ status, value, durationMs, latenessMs, points, problem }: RunOutcome): RunSummary {
  return { status, value, durationMs, latenessMs, points, problem };
}
