import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { childrenOfRow } from '../../src/shared/child-table.js';
import { LaneReader } from '../../src/shared/ring/lane-reader.js';
import { DisabledPlugins } from '../../src/supervisor/plugins/disabled-plugins.js';
import { managedPlugin } from '../../src/supervisor/plugins/managed-plugin.js';
import { PluginStreams } from '../../src/supervisor/plugins/plugin-streams.js';
import { StateFolder } from '../../src/supervisor/state/state-folder.js';
import { begunChildren } from '../support/begun-children.js';
import { makeRepository } from '../support/git-repository.js';
import { LANES, pluginRuns, RUNNER_LANE } from '../support/plugin-runs.js';
import { isAlive } from '../support/processes.js';
import { recordingLog } from '../support/recording-log.js';
import { openStore, pluginFrom } from '../support/store.js';
import { waitUntil } from '../support/wait-until.js';

// The threads of the pool, and what they say, keep no process alive.
const alive = setInterval(() => {}, 60_000);
after(() => clearInterval(alive));

test('a runner worker that dies takes its plugins along: run metric, sentence, the next run works, a stream starts again', async (t) => {
  const { store, scratch } = await openStore(t);
  const plugins = ['hanging', 'good'].map((project) => {
    const script = project === 'good' ? 'echo "[]"' : 'exec sleep 600';
    const address = makeRepository(join(scratch, project), { plugin: `#!/bin/sh\n${script}\n` });
    return managedPlugin(`shop/${project}`, pluginFrom(address, project));
  });
  for (const { definition } of plugins) assert.equal(await store.ensure(definition), undefined);
  const [hanging, good] = plugins;
  assert.ok(hanging && good);

  const workers: Worker[] = [];
  const note = (worker: Worker) => workers.push(worker);
  process.on('worker', note);
  t.after(() => process.off('worker', note));
  const { runs, ring, childTable, lines } = pluginRuns(t, store);

  const lost = runs.runCalled(hanging, 60_000, undefined);
  const pid = await waitUntil('it runs', () => begunChildren(childTable, RUNNER_LANE)[0]?.pid);
  await workers.at(-1)?.terminate();
  const { status, value, problem } = await lost;
  assert.deepEqual([status, value], ['spawn', 126]);
  assert.match(problem ?? '', /^plugin hanging could not be run: its runner died: /);
  await waitUntil('its process is gone', () => !isAlive(pid));
  await waitUntil('that is logged', () =>
    lines.some(({ message }) => message === 'ended 1 process of a runner that died'),
  );
  assert.equal(runs.isRunning(hanging), false);
  const record = new LaneReader(ring, 0).read();
  const [point] = JSON.parse(record?.document.toString() ?? '{}').points;
  assert.deepEqual(
    [point.measurement, point.tags.status, point.tags.type],
    ['plugin.hanging', 'spawn', 'call'],
  );

  assert.equal((await runs.runCalled(good, 60_000, undefined)).status, 'ok');
  assert.ok(new LaneReader(ring, RUNNER_LANE).read(), 'the successor has the lane');
  assert.deepEqual(childrenOfRow(childTable, RUNNER_LANE), []);

  const { log } = recordingLog();
  const streams = new PluginStreams({
    runs,
    disabled: new DisabledPlugins(new StateFolder(scratch, log), log),
    maxStreams: 10,
    log,
    pace: { firstMs: 50, mostMs: 100, steadyMs: 60_000 },
  });
  t.after(() => streams.close());
  streams.keep(hanging);
  const first = await waitUntil('it runs all the time', () => begunChildren(childTable, RUNNER_LANE)[0]?.pid);
  await workers.at(-1)?.terminate();
  const second = await waitUntil('it was started again', () =>
    Array.from({ length: LANES }, (_, row) => begunChildren(childTable, row))
      .flat()
      .find((child) => child.pid !== first),
  );
  await waitUntil('its process is gone', () => !isAlive(first));
  assert.equal(streams.stateOf(hanging)?.restarts, 1);
  streams.drop(hanging);
  await waitUntil('it is ended when it is not wanted any more', () => !isAlive(second.pid));
  await waitUntil('its run is over', () => !runs.isRunning(hanging));
});
