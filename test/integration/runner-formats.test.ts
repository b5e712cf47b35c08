import assert from 'node:assert/strict';
import test from 'node:test';
import { shellPlugin } from '../support/plugin-folder.js';
import { runnerPool } from '../support/runner-pool.js';
import { waitUntil } from '../support/wait-until.js';

test('line protocol of a plugin goes out with all fields in a point; bad lines are left out, counted and logged', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(
    t,
    `printf 'disk,dev=sda free=7i,used=3i 1700000000000000000\\nbad\\nup v=t\\n'`,
  );
  const outcome = await runner.run({ folder, format: 'influx' });
  assert.deepEqual(
    [outcome.status, outcome.value, outcome.points, outcome.badMetrics],
    ['ok', 0, 2, 1],
    outcome.problem,
  );
  const sentence = 'plugin cpu printed 1 bad metric of 3, which is left out: line 2: its fields are missing';
  assert.equal(outcome.problem, sentence);
  await waitUntil('it is logged', () =>
    runner.logs.some(({ level, message }) => level === 'warn' && message === sentence),
  );
  const [disk, up, run] = runner.takePoints();
  assert.deepEqual(disk, {
    measurement: 'PLUGIN.cpu.disk',
    timestamp: 1700000000,
    tags: { host: 'testhost', dev: 'sda' },
    fields: { free: 7, used: 3 },
  });
  assert.deepEqual([up?.measurement, up?.fields], ['PLUGIN.cpu.up', { v: true }]);
  assert.equal(run?.fields.points, 2);
});

test('the exit code of a plugin for Nagios is a state and no failure; any other is one', async (t) => {
  const runner = runnerPool(t);
  for (const code of [0, 1, 2, 3]) {
    const folder = shellPlugin(t, `echo "it is so | load=$((${code} + 1));2:3;~:9"`, `exit ${code}`);
    const outcome = await runner.run({ folder, format: 'nagios' });
    assert.deepEqual(
      [outcome.status, outcome.value, outcome.exitCode, outcome.points, outcome.problem],
      ['ok', 0, code, 2, undefined],
    );
    const [state, load, run] = runner.takePoints();
    assert.deepEqual(
      [state?.measurement, state?.fields.value, state?.fields.output],
      ['PLUGIN.cpu.state', code, 'it is so'],
    );
    assert.deepEqual(
      [load?.measurement, load?.fields],
      ['PLUGIN.cpu.load', { value: code + 1, warn_lower: 2, warn_upper: 3, crit_upper: 9 }],
    );
    assert.deepEqual([run?.fields.value, run?.tags.status], [0, 'ok']);
  }
  const broken = await runner.run({ folder: shellPlugin(t, 'exit 4'), format: 'nagios' });
  assert.deepEqual([broken.status, broken.value, broken.points], ['exit', 4, 0]);
  const killed = await runner.run({ folder: shellPlugin(t, 'kill -9 $$'), format: 'nagios' });
  assert.deepEqual([killed.status, killed.points], ['signal', 0]);
});

test('the exit code of a plugin in any other format is one', async (t) => {
  const runner = runnerPool(t);
  for (const format of ['json', 'influx', 'prometheus'] as const) {
    const { status, value } = await runner.run({ folder: shellPlugin(t, 'echo "[]"; exit 2'), format });
    assert.deepEqual([status, value], ['exit', 2], format);
  }
});

test('output in the format of Prometheus that has no sample in it is not understood', async (t) => {
  const runner = runnerPool(t);
  const wrong = await runner.run({ folder: shellPlugin(t, 'echo "<html>"'), format: 'prometheus' });
  assert.deepEqual([wrong.status, wrong.value], ['output', 65]);
  assert.match(wrong.problem ?? '', /was not understood: its output has no point in the format "prometheus"/);
  const right = await runner.run({ folder: shellPlugin(t, 'echo "up 1"'), format: 'prometheus' });
  assert.deepEqual([right.status, right.points], ['ok', 1]);
});
