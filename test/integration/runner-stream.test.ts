import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { childrenOfRow } from '../../src/shared/child-table.js';
import type { RunTask } from '../../src/shared/messages.js';
import { countsOf, createStreamControl, wantEnd } from '../../src/shared/stream-control.js';
import { pluginFolder, shellPlugin } from '../support/plugin-folder.js';
import { isAlive } from '../support/processes.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { type RunnerPool, runnerPool, type SentPoint } from '../support/runner-pool.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const RUNNER_LANE = 1;

/** Starts a stream of these lines of shell. */
function startStream(t: TestContext, runner: RunnerPool, lines: string[], task: Partial<RunTask> = {}) {
  const stream = createStreamControl();
  const folder = shellPlugin(t, ...lines);
  const outcome = runner.run({ folder, trigger: 'stream', timeoutMs: 0, stream, ...task });
  return { stream, outcome };
}

/** Collects points, a part at a time, until there are so many. */
async function collect(runner: RunnerPool, count: number): Promise<SentPoint[]> {
  const points: SentPoint[] = [];
  return waitUntil(`${count} points are there`, () => {
    points.push(...runner.takePoints());
    return points.length >= count && points;
  });
}

const metric = (name: string, value: number | string) => `{"name":"${name}","value":${value}}`;

test('the points of every line are sent at once: a list, or one metric', async (t) => {
  const runner = runnerPool(t);
  const gate = join(temporaryFolder(t), 'gate');
  const { stream, outcome } = startStream(t, runner, [
    `echo '[${metric('a', 1)},${metric('b', 2)}]'`,
    `while [ ! -e ${gate} ]; do sleep 0.05; done`,
    `echo '${metric('c', 3)}'`,
    'echo',
    `printf '${metric('d', 4)}'`,
  ]);
  const first = await collect(runner, 2);
  assert.deepEqual(
    first.map(({ measurement, fields }) => [measurement, fields.value]),
    [
      ['PLUGIN.cpu.a', 1],
      ['PLUGIN.cpu.b', 2],
    ],
  );
  assert.deepEqual(countsOf(stream), { points: 2, badMetrics: 0 });
  writeFileSync(gate, '');
  const { status, value, points, problem } = await outcome;
  assert.deepEqual([status, value, points], ['ok', 0, 4]);
  assert.equal(problem, 'plugin cpu runs all the time and exited with code 0');
  const [c, d, run, ...more] = runner.takePoints();
  assert.deepEqual([c?.fields.value, d?.fields.value, more.length], [3, 4, 0]);
  assert.deepEqual([run?.measurement, run?.tags.type, run?.fields.points], ['plugin.cpu', 'stream', 4]);
});

test('bad lines are left out, counted and logged; the good ones are sent', async (t) => {
  const runner = runnerPool(t);
  const { outcome } = startStream(t, runner, [
    `echo '${metric('a', 1)}'`,
    'echo nonsense',
    `echo '[${metric('b', 1)}, 7]'`,
    `printf '\\377\\n'`,
    `echo '${metric('c', 1)}'`,
    'echo why >&2; exit 3',
  ]);
  const { status, value, points, badMetrics, stderrEnd, exitCode } = await outcome;
  assert.deepEqual([status, value, exitCode, points, badMetrics], ['exit', 3, 3, 3, 3]);
  assert.equal(stderrEnd, 'why\n');
  const warnings = () =>
    runner.logs
      .map(({ message }) => message)
      .filter((text) => text.includes('bad metrics, which are left out'));
  await waitUntil('all is told', () => warnings().join('\n').includes('line 4'));
  const told = warnings().join('\n');
  for (const reason of [
    /line 2: is not JSON/,
    /line 3: a metric is an object, this is a number/,
    /line 4: is not UTF-8/,
  ]) {
    assert.match(told, reason);
  }
  assert.ok(warnings().length <= 2, 'the first at once, the others at the end');
});

test('lines of the other formats are samples each', async (t) => {
  const runner = runnerPool(t);
  const cases = [
    ['influx', 'm,a=b v=1i,w=2 1700000000000000000', 'PLUGIN.cpu.m', { v: 1, w: 2 }],
    ['prometheus', 'up{a="b"} 1', 'PLUGIN.cpu.up', { value: 1 }],
    ['nagios', 'fine | load=1;2;3', 'PLUGIN.cpu.load', { value: 1, warn: 2, crit: 3 }],
  ] as const;
  for (const [format, line, measurement, fields] of cases) {
    const lines = ['echo "# a comment"', `echo '${line}'`, `echo '${line}'`];
    const { outcome } = startStream(t, runner, format === 'nagios' ? lines.slice(1) : lines, { format });
    assert.equal((await outcome).points, 2, format);
    const [one, other] = runner.takePoints();
    for (const point of [one, other]) {
      assert.deepEqual([point?.measurement, point?.fields], [measurement, fields], format);
    }
  }
});

test('lines may end as on Windows, and begin with a byte order mark', async (t) => {
  const runner = runnerPool(t);
  for (const [format, line] of [
    ['json', metric('a', 1)],
    ['influx', 'm v=1'],
    ['influx', 'm text="a b"'],
    ['prometheus', 'up 1'],
    ['nagios', 'fine | load=1'],
  ] as const) {
    const print = `printf '\\357\\273\\277%s\\r\\n\\r\\n' '${line}'`;
    const { points, badMetrics } = await startStream(t, runner, [print], { format }).outcome;
    assert.deepEqual([points, badMetrics], [1, 0], format);
  }
});

test('a last line without end is sent, but not that of a stream that was ended in the middle of it', async (t) => {
  const runner = runnerPool(t);
  const print = "printf 'm v=12\\nm v=34'";
  for (const [end, points, badMetrics] of [
    ['exit 1', 2, 0],
    ['kill -9 $$', 1, 1],
  ] as const) {
    const outcome = await startStream(t, runner, [print, end], { format: 'influx' }).outcome;
    assert.deepEqual([outcome.points, outcome.badMetrics], [points, badMetrics], end);
  }
  await waitUntil('it is told', () =>
    runner.logs.some(({ message }) => message.includes('line 2: is cut off')),
  );
});

test('an end that was wanted is none of a failure, also when it was wanted before the start', async (t) => {
  const runner = runnerPool(t);
  const running = startStream(t, runner, [`echo '${metric('a', 1)}'`, 'exec sleep 600']);
  await collect(runner, 1);
  const pid = childrenOfRow(runner.setup.childTable, RUNNER_LANE)[0]?.pid ?? 0;
  wantEnd(running.stream);
  process.kill(-pid, 'SIGTERM');
  const { status, value, problem } = await running.outcome;
  assert.deepEqual([status, value, problem], ['ok', 0, undefined]);
  assert.equal(isAlive(pid), false);

  const stream = createStreamControl();
  wantEnd(stream);
  const early = startStream(t, runner, ['exec sleep 600'], { stream });
  assert.equal((await early.outcome).status, 'ok');
});

test('a stream that somebody else ends was ended by a signal', async (t) => {
  const runner = runnerPool(t);
  const { status, value } = await startStream(t, runner, ['kill -9 $$']).outcome;
  assert.deepEqual([status, value], ['signal', 137]);
});

test('while the ring is full nothing is read, and nothing is lost', async (t) => {
  const runner = runnerPool(t, { laneBytes: 8192 });
  const count = 20_000;
  const { stream, outcome } = startStream(t, runner, [
    `awk 'BEGIN { for (i = 0; i < ${count}; i++) printf "{\\"name\\":\\"a\\",\\"value\\":%d}\\n", i }'`,
  ]);
  await waitUntil('the ring is full', () => {
    const { points } = countsOf(stream);
    return points > 0 && points < count;
  });
  const points = await collect(runner, count);
  const values = points
    .filter(({ measurement }) => measurement === 'PLUGIN.cpu.a')
    .map((p) => p.fields.value);
  assert.deepEqual(
    values,
    Array.from({ length: count }, (_, value) => value),
  );
  assert.equal((await outcome).points, count);
});

test('a line without end takes no more memory than the bound, is counted once, and the next one is sent', async (t) => {
  const runner = runnerPool(t);
  const { outcome } = startStream(
    t,
    runner,
    ['head -c 50000000 /dev/zero', 'echo', `echo '${metric('a', 1)}'`, 'head -c 50000000 /dev/zero >&2'],
    { maxOutputBytes: 10_000 },
  );
  const { points, badMetrics, status } = await outcome;
  assert.deepEqual([status, points, badMetrics], ['ok', 1, 1]);
});

test('what a stream left behind with its output in hand is ended, and the stream is over', async (t) => {
  const runner = runnerPool(t);
  const { outcome } = startStream(t, runner, ['setsid sleep 600 &', `echo '${metric('a', 1)}'`]);
  assert.equal((await outcome).points, 1);
});

test('300 streams in one worker hold up no run', async (t) => {
  const runner = runnerPool(t);
  const line = metric('a', 1);
  const streams = Array.from({ length: 300 }, (_, index) =>
    startStream(t, runner, [`echo '${line}'`, 'exec sleep 600'], { runId: index + 1 }),
  );
  await waitUntil(
    'all of them have printed',
    () => {
      runner.takePoints();
      return streams.every(({ stream }) => countsOf(stream).points > 0);
    },
    60_000,
  );
  const quick = await runner.run({ folder: shellPlugin(t, `echo '[${line}]'`), runId: 1000 });
  assert.deepEqual([quick.status, quick.points], ['ok', 1]);
  for (const { stream } of streams) wantEnd(stream);
  for (const { pid } of childrenOfRow(runner.setup.childTable, RUNNER_LANE)) process.kill(-pid, 'SIGTERM');
  const ends = await Promise.all(streams.map(({ outcome }) => outcome));
  assert.deepEqual(new Set(ends.map(({ status }) => status)), new Set(['ok']));
});

test('the example prints a sample a second', async (t) => {
  const runner = runnerPool(t);
  const script = readFileSync(join(PROJECT_ROOT, 'deploy/examples/plugins/stream/plugin'));
  const { stream, outcome } = startStream(t, runner, [], { folder: pluginFolder(t, script) });
  const points = await collect(runner, 2);
  for (const { measurement, fields } of points) {
    assert.equal(measurement, 'PLUGIN.cpu.busy.percent');
    assert.ok(Number(fields.value) >= 0 && Number(fields.value) <= 100);
  }
  wantEnd(stream);
  for (const { pid } of childrenOfRow(runner.setup.childTable, RUNNER_LANE)) process.kill(-pid, 'SIGTERM');
  assert.deepEqual([(await outcome).status, (await outcome).badMetrics], ['ok', 0]);
});
