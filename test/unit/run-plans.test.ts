import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { PluginCgroups } from '../../src/supervisor/cgroups/plugin-cgroups.js';
import type { HeldVersion } from '../../src/supervisor/plugin-store/held-version.js';
import { managedPlugin } from '../../src/supervisor/plugins/managed-plugin.js';
import { RunPlans } from '../../src/supervisor/plugins/run-plans.js';
import type { Run, RunPlace } from '../../src/supervisor/plugins/run-task.js';
import { runTask } from '../../src/supervisor/plugins/run-task.js';
import { recordingLog } from '../support/recording-log.js';
import { RUN_SETTINGS } from '../support/run-settings.js';
import { pluginFrom } from '../support/store.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const DEFINITION = pluginFrom('https://git.example/shop/check.git');

function place(folder: string, more: Partial<RunPlace> = {}): RunPlace {
  const held: HeldVersion = {
    folder,
    version: '0'.repeat(40),
    sha256: undefined,
    stateFolder: '/store/shop/.check/state',
    release: () => undefined,
  };
  return { held, storeFolder: '/store', user: undefined, cgroups: undefined, ...more };
}

function setUp() {
  const plugin = managedPlugin('shop/check', DEFINITION);
  const plans = new RunPlans(RUN_SETTINGS);
  const run = (id = 1): Run => ({
    id,
    plugin,
    trigger: 'regular',
    wanted: {},
    dueAtMs: 1000 * id,
    state: 'running',
    isLast: false,
  });
  return { plugin, plans, run };
}

test('the plan of a run is all of it but its number and its time', () => {
  const { plans, run } = setUp();
  const { key, task } = plans.planOf(run(3), place('/store/one'));
  assert.equal(key, 'shop/check');
  assert.deepEqual({ ...task, runId: 3, dueAtMs: 3000 }, runTask(run(3), place('/store/one'), RUN_SETTINGS));
  assert.ok(!('runId' in task) && !('dueAtMs' in task));
});

test('the plan stays the same until definition, version or user is another one', () => {
  const { plugin, plans, run } = setUp();
  const first = plans.planOf(run(1), place('/store/one'));
  assert.equal(plans.planOf(run(2), place('/store/one')), first);

  const second = plans.planOf(run(3), place('/store/two'));
  assert.equal(second.task.folder, '/store/two');

  const user = { name: 'somebody', uid: 1234, gid: 1234, groups: [], home: '/home/somebody' };
  const third = plans.planOf(run(4), place('/store/two', { user }));
  assert.equal(third.task.environment.HOME, '/home/somebody');
  assert.equal(plans.planOf(run(5), place('/store/two', { user })), third);

  plugin.definition = { ...DEFINITION, parameters: ['-v'] };
  assert.deepEqual(plans.planOf(run(6), place('/store/two', { user })).task.parameters, ['-v']);
});

test('a plan is made anew when the plugin was forgotten', () => {
  const { plans, run } = setUp();
  const first = plans.planOf(run(1), place('/store/one'));
  plans.forget('shop/check');
  const second = plans.planOf(run(2), place('/store/one'));
  assert.notEqual(second, first);
  assert.deepEqual(second, first);
});

test('a cgroup that could not be made is tried again at the next run', (t) => {
  const { plans, run } = setUp();
  const { log } = recordingLog();
  const scratch = temporaryFolder(t);
  const missing = new PluginCgroups(join(scratch, 'missing'), [], log);
  const there = new PluginCgroups(scratch, [], log);
  assert.equal(plans.planOf(run(1), place('/store/one', { cgroups: missing })).task.cgroup, undefined);
  const second = plans.planOf(run(2), place('/store/one', { cgroups: there }));
  assert.equal(second.task.cgroup?.folder, join(scratch, 'plugin:shop:check'));
  assert.equal(plans.planOf(run(3), place('/store/one', { cgroups: there })), second);
});
