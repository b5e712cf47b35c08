import assert from 'node:assert/strict';
import test from 'node:test';
import type { RunBatch, RunPlan } from '../../src/shared/messages.js';
import { GivenPlans, type PoolRun } from '../../src/supervisor/plugins/given-plans.js';
import { KnownPlans } from '../../src/workers/runner/known-plans.js';
import { runTask } from '../support/runner-pool.js';

function plan(key: string, parameters: readonly string[] = []): RunPlan {
  const { runId: _, dueAtMs: __, ...task } = runTask({ folder: '/', pluginName: key, parameters });
  return { key, task };
}

function scheduled(of: RunPlan, runId = 1): PoolRun {
  return { plan: of, runId, dueAtMs: 1000 + runId };
}

function send(given: GivenPlans, ...runs: PoolRun[]): RunBatch {
  const batch = given.open();
  for (const run of runs) given.write(batch, run);
  return batch;
}

const keys = ({ plans }: RunBatch) => plans.map(({ key }) => key);

test('a worker is told a plan with its first run, and again only when it has changed', () => {
  const given = new GivenPlans();
  const [disk, net] = [plan('disk'), plan('net')];
  assert.deepEqual(send(given, scheduled(disk, 1)), {
    type: 'runs',
    forgotten: [],
    plans: [disk],
    runs: [{ plan: 'disk', runId: 1, dueAtMs: 1001 }],
  });
  assert.deepEqual(keys(send(given, scheduled(disk, 2), scheduled(net, 3))), ['net']);
  const other = plan('disk', ['-v']);
  assert.deepEqual(send(given, scheduled(other)).plans, [other]);
  assert.deepEqual(keys(send(given, scheduled(other))), []);
});

test('a worker forgets the plan of a plugin that is gone with its next runs, and gets it anew when it is back', () => {
  const given = new GivenPlans();
  const [disk, net] = [plan('disk'), plan('net')];
  send(given, scheduled(disk), scheduled(net));
  given.forget('disk');
  given.forget('never heard of');
  const next = send(given, scheduled(net), scheduled(disk));
  assert.deepEqual([next.forgotten, keys(next)], [['disk'], ['disk']]);
  assert.deepEqual(send(given, scheduled(disk)).forgotten, []);
});

test('a run that is not on schedule goes as it is', () => {
  const run = runTask({ folder: '/', trigger: 'call' });
  assert.deepEqual(send(new GivenPlans(), run), { type: 'runs', forgotten: [], plans: [], runs: [run] });
});

test('a worker does a run as its plan says, which it has heard of before or with it', () => {
  const known = new KnownPlans((spec) => ({ spec }));
  const disk = plan('disk', ['-v']);
  known.learn({ forgotten: [], plans: [disk] });
  const order = { plan: 'disk', runId: 5, dueAtMs: 77 };
  const prepared = known.preparedFor(order);
  assert.equal(prepared.spec, disk.task);
  assert.equal(known.preparedFor({ ...order, runId: 6 }), prepared, 'prepared once');
  const whole = runTask({ folder: '/' });
  assert.equal(known.preparedFor(whole).spec, whole);
  known.learn({ forgotten: ['disk'], plans: [plan('disk', ['-q'])] });
  assert.deepEqual(known.preparedFor(order).spec.parameters, ['-q']);
  known.learn({ forgotten: ['disk'], plans: [] });
  assert.throws(() => known.preparedFor(order), /was not told how disk is run/);
});
