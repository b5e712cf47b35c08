import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { notStarted } from '../../src/shared/run-metric.js';
import type { PoolRun } from '../../src/supervisor/plugins/given-plans.js';
import { RunBatches } from '../../src/supervisor/plugins/run-batches.js';
import { runTask } from '../support/runner-pool.js';

interface Sent {
  readonly runs: readonly PoolRun[];
  readonly reject: (error: Error) => void;
}

/** Batches of these sizes, then of one run each, and what was sent. */
function setUp(...sizes: number[]) {
  const sent: Sent[] = [];
  const batches = new RunBatches(
    () => sizes.shift() ?? 1,
    (runs) => new Promise((_, reject) => void sent.push({ runs, reject })),
  );
  const run = (runId: number) => batches.run(runTask({ folder: '/', runId }));
  const ids = () => sent.map(({ runs }) => runs.map(({ runId }) => runId));
  return { batches, sent, run, ids };
}

test('the runs of one turn go together, as many as a worker takes', async () => {
  const { run, ids } = setUp(3, 6);
  for (const id of [1, 2, 3, 4, 5]) void run(id);
  assert.deepEqual(ids(), []);
  await nextTurn();
  assert.deepEqual(ids(), [
    [1, 2, 3],
    [4, 5],
  ]);
  void run(6);
  await nextTurn();
  assert.deepEqual(ids().slice(2), [[6]]);
});

test('each run is over when its own end is told', async () => {
  const { batches, run } = setUp(2);
  const [first, second] = [run(1), run(2)];
  await nextTurn();
  const outcome = notStarted(126, 'it was only a test', 0);
  batches.end([
    { runId: 2, outcome },
    { runId: 77, outcome },
  ]);
  assert.equal(await second, outcome);
  batches.end([{ runId: 1, problem: 'out of memory' }]);
  await assert.rejects(first, { message: 'out of memory' });
});

test('a worker that dies takes along those of its runs that had not ended, and no others', async () => {
  const { batches, sent, run } = setUp(2, 2);
  const runs = [1, 2, 3, 4].map(run);
  await nextTurn();
  const outcome = notStarted(126, 'it was only a test', 0);
  batches.end([{ runId: 1, outcome }]);
  sent[0]?.reject(new Error('the worker died'));
  batches.end([3, 4].map((runId) => ({ runId, outcome })));
  const ends = await Promise.allSettled(runs);
  assert.deepEqual(
    ends.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
});
