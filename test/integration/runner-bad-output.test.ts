import assert from 'node:assert/strict';
import test from 'node:test';
import type { RunTask } from '../../src/shared/messages.js';
import { pluginFolder, shellPlugin } from '../support/plugin-folder.js';
import { runnerPool } from '../support/runner-pool.js';
import { waitUntil } from '../support/wait-until.js';

/** What a plugin's script does, and the sentence that must come of it. */
const NOT_UNDERSTOOD: readonly (readonly [what: string, script: string, sentence: RegExp])[] = [
  ['prints nothing', ':', /output is empty/],
  ['prints blanks only', 'echo; echo', /output is empty/],
  ['prints half a JSON', `printf '[{"name":"a","val'`, /output is not JSON.*begins with "\[\{/],
  ['prints two lists', `echo '[]'; echo '[]'`, /output is not JSON/],
  ['prints an object', `echo '{"name":"a","value":1}'`, /one JSON object, not a list/],
  ['prints a number', 'echo 42', /a JSON number, not a list/],
  ['prints null', 'echo null', /null, not a list/],
  ['prints NaN', `echo '[{"name":"a","value":NaN}]'`, /output is not JSON.*NaN/],
  ['prints a text', 'echo OK - all is well', /output is not JSON.*begins with "OK - all is well"/],
  ['prints bytes that are no text', `printf '\\377\\376\\000\\001'`, /output is not UTF-8 text/],
  ['prints a list with a byte that is no UTF-8', `printf '[{"name":"a\\377","value":1}]'`, /not UTF-8/],
  ['prints a NUL behind the list', `printf '[]\\000'`, /output is not JSON/],
  ['prints escape sequences', `printf '\\033[31mred'`, /begins with "\.\[31mred"/],
];

test('output that is no list of metrics makes a run metric of status output and a warning', async (t) => {
  const runner = runnerPool(t);
  for (const [what, script, sentence] of NOT_UNDERSTOOD) {
    await t.test(`a plugin that ${what}`, async () => {
      const outcome = await runner.run({ folder: shellPlugin(t, script), pluginName: what });
      assert.equal(outcome.status, 'output');
      assert.equal(outcome.value, 65);
      assert.equal(outcome.exitCode, 0);
      assert.match(outcome.problem ?? '', sentence);
      assert.match(outcome.problem ?? '', new RegExp(`^plugin ${what} was not understood`));
      assert.doesNotMatch(outcome.problem ?? '', /\p{Cc}/u);
      const points = runner.takePoints();
      assert.deepEqual(
        points.map((point) => [point.measurement, point.tags.status, point.fields.value]),
        [[`plugin.${what}`, 'output', 65]],
      );
      const line = await waitUntil('it is logged', () =>
        runner.logs.find(({ fields }) => fields.plugin === what),
      );
      assert.equal(line.level, 'warn');
      assert.equal(line.message, outcome.problem);
      assert.equal(line.fields.namespace, 'web.front');
    });
  }
});

test('bad metrics are left out, counted and logged once, the good ones of the list go out', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(
    t,
    'cat <<END',
    '[{"name":"good","value":1}, {"name":"no value"}, {"name":"nested","value":{"a":[1]}}, 5, null, [],',
    ' {"name":"big","value":1e999}, {"name":"other","value":"text"}]',
    'END',
  );
  const outcome = await runner.run({ folder });
  assert.deepEqual([outcome.status, outcome.value, outcome.points, outcome.badMetrics], ['ok', 0, 2, 6]);
  const points = runner.takePoints();
  assert.deepEqual(
    points.map((point) => point.measurement),
    ['PLUGIN.cpu.good', 'PLUGIN.cpu.other', 'plugin.cpu'],
  );
  assert.equal(points[2]?.fields.points, 2);
  await waitUntil('it is logged', () => runner.logs.length > 0);
  assert.equal(runner.logs.length, 1);
  const [line] = runner.logs;
  assert.equal(line?.level, 'warn');
  assert.match(
    line?.message ?? '',
    /plugin cpu printed 6 bad metrics of 8.*\[1\] name "no value".*\[2\] value/,
  );
});

test('a byte order mark and blanks around the list do no harm', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(t, `printf '\\357\\273\\277\\r\\n  [{"name":"a","value":1}]  \\n\\n'`);
  assert.equal((await runner.run({ folder })).points, 1);
});

test('metrics printed before an exit with an error code are sent, the status names the code', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(t, `echo '[{"name":"a","value":1}]'`, 'echo the reason >&2', 'exit 3');
  const outcome = await runner.run({ folder });
  assert.deepEqual([outcome.status, outcome.value, outcome.exitCode, outcome.points], ['exit', 3, 3, 1]);
  assert.equal(outcome.problem, 'plugin cpu exited with code 3');
  assert.deepEqual(
    runner.takePoints().map((point) => point.fields.value),
    [1, 3],
  );
  const line = await waitUntil('it is logged', () => runner.logs[0]);
  assert.equal(line.fields.stderr, 'the reason\n');
});

test('100 MB on stdout end the plugin; no more than the bound is kept', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(t, 'echo begun >&2', 'head -c 100000000 /dev/zero', 'sleep 60');
  const outcome = await runner.run({ folder, maxOutputBytes: 100_000, graceMs: 10_000 });
  assert.deepEqual([outcome.status, outcome.value, outcome.points], ['output', 65, 0]);
  assert.match(outcome.problem ?? '', /plugin cpu was ended because it printed more than 100000 bytes/);
  assert.equal(outcome.stdoutEnd.length, 16 * 1024);
  assert.match(outcome.stderrEnd, /^begun\n/);
  assert.deepEqual(
    runner.takePoints().map((point) => point.tags.status),
    ['output'],
  );
});

test('output of exactly the bound is understood, one byte more is not', async (t) => {
  const runner = runnerPool(t);
  const text = '[{"name":"a","value":1}]';
  const folder = shellPlugin(t, `printf '%s' '${text}'`);
  assert.equal((await runner.run({ folder, maxOutputBytes: text.length })).status, 'ok');
  assert.equal((await runner.run({ folder, maxOutputBytes: text.length - 1 })).status, 'output');
});

test('a gigabyte on stderr flows by, only the end is kept, and memory stays as it is', async (t) => {
  const runner = runnerPool(t);
  const script = ['head -c 1000000000 /dev/zero >&2', 'echo the end >&2', 'echo "[]"'];
  await runner.run({ folder: shellPlugin(t, 'echo "[]"') });
  const kibBefore = process.resourceUsage().maxRSS;
  const outcome = await runner.run({ folder: shellPlugin(t, ...script), timeoutMs: 120_000 });
  const moreMib = (process.resourceUsage().maxRSS - kibBefore) / 1024;
  assert.ok(moreMib < 100, `${moreMib} MiB more`);
  assert.equal(outcome.status, 'ok');
  assert.equal(outcome.stderrEnd.length, 16 * 1024);
  assert.ok(outcome.stderrEnd.endsWith('the end\n'));
});

test('deeply nested and very long lists of nonsense do not harm the worker', async (t) => {
  const runner = runnerPool(t);
  const nested = `head -c 1000000 /dev/zero | tr '\\0' '['`;
  assert.equal((await runner.run({ folder: shellPlugin(t, nested) })).status, 'output');
  const closed = `${nested}; head -c 1000000 /dev/zero | tr '\\0' ']'`;
  assert.equal((await runner.run({ folder: shellPlugin(t, closed) })).badMetrics, 1);
  const long = `printf '[0'; head -c 1000000 /dev/zero | sed 's/\\x00/,0/g'; printf ']'`;
  assert.equal((await runner.run({ folder: shellPlugin(t, long) })).badMetrics, 1_000_001);
  assert.equal((await runner.run({ folder: shellPlugin(t, 'echo "[]"') })).status, 'ok');
});

/** Content of the file `plugin` (undefined: there is none), and what must be said of it. */
const NOT_STARTED: readonly (readonly [
  what: string,
  content: string | Uint8Array | undefined,
  mode: number,
  value: number,
  sentence: RegExp,
  more?: Partial<RunTask>,
])[] = [
  ['is not executable', '#!/bin/sh\necho "[]"\n', 0o644, 126, /may not execute .*\/plugin/],
  [
    'has a missing interpreter',
    '#!/nonexistent/python -u\n',
    0o755,
    127,
    /interpreter "\/nonexistent\/python"/,
  ],
  ['has Windows line ends', '#!/bin/sh\r\necho "[]"\r\n', 0o755, 127, /Windows line ends/],
  ['has no first line for the kernel', 'echo "[]"\n', 0o755, 126, /neither a program .* nor a script/],
  ['has an empty first line', '#!\necho "[]"\n', 0o755, 126, /neither a program .* nor a script/],
  ['is empty', '', 0o755, 126, /neither a program .* nor a script/],
  ['is for another machine', foreignBinary(), 0o755, 126, /neither a program for this machine/],
  ['gets a parameter with a NUL', '#!/bin/sh\n', 0o755, 126, /null bytes/, { parameters: ['a\0b'] }],
  ['gets too long a parameter', '#!/bin/sh\n', 0o755, 126, /too long/, { parameters: ['x'.repeat(3e6)] }],
];

test('a plugin that cannot be executed makes a run metric of status spawn, and no shell tries it', async (t) => {
  const runner = runnerPool(t);
  for (const [what, content, mode, value, sentence, more] of NOT_STARTED) {
    await t.test(`a plugin that ${what}`, async () => {
      const folder = pluginFolder(t, content ?? '', mode);
      const outcome = await runner.run({ folder, ...more });
      assert.deepEqual([outcome.status, outcome.value, outcome.exitCode], ['spawn', value, undefined]);
      assert.match(outcome.problem ?? '', sentence);
      assert.match(outcome.problem ?? '', /^plugin cpu could not be started: /);
      assert.deepEqual(
        runner.takePoints().map((point) => [point.measurement, point.tags.status, point.fields.value]),
        [['plugin.cpu', 'spawn', value]],
      );
    });
  }
});

test('a missing file and a missing folder are told apart', async (t) => {
  const runner = runnerPool(t);
  const folder = pluginFolder(t, '');
  const gone = await runner.run({ folder: `${folder}/gone` });
  assert.deepEqual([gone.status, gone.value], ['spawn', 127]);
  assert.match(gone.problem ?? '', /its folder .*\/gone does not exist/);
  const other = await runner.run({ folder: shellPlugin(t, 'mv plugin other').replace(/\/project$/, '') });
  assert.deepEqual([other.status, other.value], ['spawn', 127]);
  assert.match(other.problem ?? '', /\/plugin does not exist/);
});

function foreignBinary(): Uint8Array {
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x02\x01', 'latin1');
  return header;
}
