import assert from 'node:assert/strict';
import test from 'node:test';
import { childrenOfRow } from '../../src/shared/child-table.js';
import { laneOf, releaseLane } from '../../src/shared/ring/lane-owner.js';
import { begunChildren } from '../support/begun-children.js';
import { shellPlugin } from '../support/plugin-folder.js';
import { isAlive } from '../support/processes.js';
import { runnerPool } from '../support/runner-pool.js';
import { waitUntil } from '../support/wait-until.js';

test('a worker that dies leaves its children in the table and its lane to a successor', async (t) => {
  const runner = runnerPool(t);
  const { ring, childTable } = runner.setup;
  const quick = shellPlugin(t, `echo '[{"name":"a","value":1}]'`);
  await runner.run({ folder: quick });

  const lost = runner.run({ folder: shellPlugin(t, 'exec sleep 600'), runId: 7 });
  const pid = await waitUntil('the plugin runs', () => begunChildren(childTable, 1)[0]?.pid);
  const [worker] = runner.pool.threads;
  assert.ok(worker);
  const lane = laneOf(ring, worker.threadId);
  assert.equal(lane, 1);
  const rejected = assert.rejects(lost);
  await worker.terminate();
  await rejected;

  assert.deepEqual(childrenOfRow(childTable, lane), [{ pid, runId: 7 }]);
  process.kill(-pid, 'SIGKILL');
  await waitUntil('the plugin is gone', () => !isAlive(pid));

  // The successor is told to work before it can have a lane, and waits for it.
  const next = runner.run({ folder: quick });
  releaseLane(ring, lane);
  assert.equal((await next).status, 'ok');
  assert.deepEqual(
    runner.takeRecords().map((record) => [record.lane, record.points[0]?.measurement]),
    Array(2)
      .fill([
        [1, 'PLUGIN.cpu.a'],
        [1, 'plugin.cpu'],
      ])
      .flat(),
  );
});
