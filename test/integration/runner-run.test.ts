import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { childrenOfRow } from '../../src/shared/child-table.js';
import { begunChildren } from '../support/begun-children.js';
import { pluginFolder, shellPlugin } from '../support/plugin-folder.js';
import { groupMembers } from '../support/processes.js';
import { PLUGIN_USER, runnerPool } from '../support/runner-pool.js';
import { waitUntil } from '../support/wait-until.js';

test('a run sends what the plugin prints and then a point about itself, to the namespace of the plugin', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(
    t,
    'cat <<END',
    '[{"name":"load.one","timestamp":1700000000,"tags":{" core ":"a b","empty":" "},"value":0.5},',
    ' {"name":"up","value":true,"tags":{"host":"other"}}]',
    'END',
    'echo noted >&2',
  );
  const outcome = await runner.run({ folder });
  const { usage } = outcome;
  if (runner.setup.engine === 'cross-spawn') assert.equal(usage, undefined);
  else assert.ok(usage && usage.userMs + usage.systemMs > 0, 'it took some processor time');
  assert.deepEqual(
    { ...outcome, usage: undefined, durationMs: 0, stdoutEnd: outcome.stdoutEnd.slice(0, 2) },
    {
      status: 'ok',
      value: 0,
      exitCode: 0,
      signal: undefined,
      durationMs: 0,
      latenessMs: undefined,
      usage: undefined,
      points: 2,
      badMetrics: 0,
      problem: undefined,
      stdoutEnd: '[{',
      stderrEnd: 'noted\n',
    },
  );

  const records = runner.takeRecords();
  assert.deepEqual(
    records.map(({ namespace, database, awaited, lane }) => ({ namespace, database, awaited, lane })),
    Array(2).fill({ namespace: 'web.front', database: 'collect.web.front', awaited: false, lane: 1 }),
  );
  const [load, up, run] = records.flatMap((record) => record.points);
  assert.deepEqual(load, {
    measurement: 'PLUGIN.cpu.load.one',
    timestamp: 1700000000,
    tags: { host: 'testhost', core: 'a-b' },
    fields: { value: 0.5 },
  });
  assert.ok(up !== undefined && Math.abs(up.timestamp - Date.now() / 1000) < 60);
  assert.deepEqual(up.tags, { host: 'other' });
  assert.deepEqual(up.fields, { value: true });
  assert.deepEqual(run, {
    measurement: 'plugin.cpu',
    timestamp: run?.timestamp,
    tags: {
      host: 'testhost',
      repo: 'https://git.example/monitor/cpu.git',
      type: 'regular',
      status: 'ok',
    },
    fields: {
      value: 0,
      duration: outcome.durationMs,
      points: 2,
      ...(usage && { user: usage.userMs, system: usage.systemMs }),
    },
  });
});

test('a run that was called for says so in its point', async (t) => {
  const runner = runnerPool(t);
  await runner.run({ folder: shellPlugin(t, 'echo "[]"'), trigger: 'call' });
  const points = runner.takePoints();
  assert.equal(points.length, 1);
  assert.equal(points[0]?.tags.type, 'call');
});

test('a plugin gets exactly the given environment, parameters, folder, an empty stdin and its own session', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(
    t,
    "tr '\\0' '\\n' < /proc/$$/environ | sort",
    'printf "<%s>\\n" "$@"',
    'pwd',
    'cat',
    'read -r _ _ _ _ group session _ < /proc/$$/stat',
    '[ "$group $session" = "$$ $$" ] && echo leader',
  );
  const parameters = ['-w', '$(id)', '; echo x', '*', "it's", ''];
  const environment = { A: 'one $HOME "two"', B: '', NODE_OPTIONS: '--bad' };
  const outcome = await runner.run({ folder, anyOutput: true, environment, parameters });
  assert.equal(outcome.status, 'ok', outcome.stderrEnd);
  assert.deepEqual(outcome.stdoutEnd.trimEnd().split('\n'), [
    'A=one $HOME "two"',
    'B=',
    'NODE_OPTIONS=--bad',
    ...parameters.map((parameter) => `<${parameter}>`),
    folder,
    'leader',
  ]);
});

test('a plugin of another user has the ids of that user and no further groups', {
  skip: PLUGIN_USER === undefined && 'only root can start programs as somebody else',
}, async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(t, 'grep -E "^(Uid|Gid|Groups|CapEff):" /proc/self/status');
  const { stdoutEnd } = await runner.run({ folder, anyOutput: true });
  const lines = stdoutEnd.split('\n').map((line) => line.split(/\s+/).filter(Boolean));
  const ids = Array(4).fill('65534');
  assert.deepEqual(lines.slice(0, 4), [
    ['Uid:', ...ids],
    ['Gid:', ...ids],
    ['Groups:'],
    ['CapEff:', '0'.repeat(16)],
  ]);
});

test('an on-demand plugin may print any text, nothing, or metrics, which are sent', async (t) => {
  const runner = runnerPool(t);
  const cases: [string, number][] = [
    ['echo all is well', 0],
    [':', 0],
    ['printf "\\377\\000"', 0],
    ['echo "{}"', 0],
    ['echo "[1, 2]"', 0],
    ['echo \'[{"name":"a","value":1},{"name":"b"}]\'', 1],
  ];
  for (const [line, points] of cases) {
    const outcome = await runner.run({ folder: shellPlugin(t, line), anyOutput: true });
    assert.equal(outcome.status, 'ok', line);
    assert.equal(outcome.points, points, line);
    assert.equal(outcome.badMetrics, points, line);
    assert.equal(runner.takePoints().length, points + 1, line);
  }
});

test('50,000 metrics arrive complete, in documents below the bound', async (t) => {
  const runner = runnerPool(t, { laneBytes: 16 * 1024 * 1024, maxDocumentBytes: 300_000 });
  const folder = shellPlugin(t, printMetrics(50_000));
  const outcome = await runner.run({ folder });
  assert.equal(outcome.points, 50_000);
  const records = runner.takeRecords();
  assert.ok(records.length > 10);
  for (const record of records) assert.ok(record.bytes <= 300_000);
  const values = records.slice(0, -1).flatMap((record) => record.points.map((point) => point.fields.value));
  assert.deepEqual(
    values,
    Array.from({ length: 50_000 }, (_, value) => value),
  );
});

test('a run waits for room in the ring and loses nothing', async (t) => {
  const runner = runnerPool(t, { laneBytes: 8192, maxDocumentBytes: 300_000 });
  const folder = shellPlugin(t, printMetrics(1000));
  let isDone = false;
  const run = runner.run({ folder }).finally(() => {
    isDone = true;
  });
  const values: unknown[] = [];
  await waitUntil('the run is done and all is read', () => {
    const finished = isDone;
    for (const point of runner.takePoints()) values.push(point.fields.value);
    return finished;
  });
  assert.equal((await run).points, 1000);
  assert.deepEqual(values.slice(0, 1000), [...Array(1000).keys()]);
  assert.equal(values.length, 1001);
});

test('many runs at once and one after another leave no descriptor, process or child table entry', async (t) => {
  const runner = runnerPool(t, { threads: 2 });
  const good = shellPlugin(t, 'echo \'[{"name":"a","value":1}]\'');
  const failing = shellPlugin(t, 'echo broken >&2; exit 3');
  const missing = pluginFolder(t, '#!/nonexistent/interpreter\n');
  const round = () =>
    Promise.all(
      Array.from({ length: 24 }, (_, n) => runner.run({ folder: [good, failing, missing][n % 3] ?? good })),
    );
  const doRound = async () => {
    const statuses = (await round()).map((outcome) => outcome.status);
    assert.deepEqual(
      statuses,
      Array.from({ length: 24 }, (_, k) => ['ok', 'exit', 'spawn'][k % 3]),
    );
  };
  await doRound();
  const before = readdirSync('/proc/self/fd').length;
  for (let n = 0; n < 4; n += 1) await doRound();
  await waitUntil(
    'all descriptors of the runs are closed',
    () => readdirSync('/proc/self/fd').length <= before,
  );
  assert.deepEqual(childrenOfRow(runner.setup.childTable, 1), []);
  assert.equal(runner.takePoints().length, 5 * (8 * 2 + 8 + 8));
  assert.deepEqual(childrenOfThisProcess(), []);
});

test('a running plugin stands in the row of its worker in the child table', async (t) => {
  const runner = runnerPool(t);
  const run = runner.run({ folder: shellPlugin(t, 'exec sleep 60') });
  const { childTable } = runner.setup;
  const { pid } = await waitUntil('the child is noted', () => begunChildren(childTable, 1)[0]);
  assert.deepEqual(groupMembers(pid), [pid]);
  process.kill(-pid, 'SIGTERM');
  assert.equal((await run).status, 'signal');
  assert.deepEqual(childrenOfRow(childTable, 1), []);
});

/** A shell line that prints metrics with the values from 0 on. */
function printMetrics(count: number): string {
  return `printf '['; seq -s, 0 ${count - 1} | sed 's/[0-9][0-9]*/{"name":"m","value":&}/g'; printf ']'`;
}

function childrenOfThisProcess(): string[] {
  const tasks = readdirSync('/proc/self/task');
  return tasks.flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  );
}
