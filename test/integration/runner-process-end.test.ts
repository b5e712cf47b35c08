import assert from 'node:assert/strict';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { childrenOfRow } from '../../src/shared/child-table.js';
import { cLibrary } from '../../src/shared/native/c-library.js';
import { shellPlugin } from '../support/plugin-folder.js';
import { isAlive, UNTIL_IN_OWN_SESSION } from '../support/processes.js';
import { type RunnerPool, runnerPool } from '../support/runner-pool.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

/** Time for a shell to get going, mostly. */
const TIMEOUT_MS = 1500;

/** For how many doublings of `TIMEOUT_MS` a machine may be too slow. */
const MOST_TRIES = 5;

/**
 * Runs a plugin that takes too long, and prints its pid and those of its children once it has got going: again with more
 * time where it was ended before. Has a look at the points of the last run only.
 */
async function runTooLong(runner: RunnerPool, task: Parameters<RunnerPool['run']>[0], pids: number) {
  let timeoutMs = TIMEOUT_MS;
  for (let tries = 1; ; tries += 1) {
    const outcome = await runner.run({ ...task, timeoutMs });
    if (pidsIn(outcome.stderrEnd).length >= pids || tries === MOST_TRIES) return { ...outcome, timeoutMs };
    runner.takePoints();
    timeoutMs *= 2;
  }
}

test('a plugin that takes too long is ended by SIGTERM, with all of its group', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(t, 'sleep 600 & echo $$ $! >&2', 'sleep 601');
  const outcome = await runTooLong(runner, { folder }, 2);
  assert.deepEqual(
    [outcome.status, outcome.value, outcome.exitCode, outcome.signal],
    ['timeout', 124, undefined, 'SIGTERM'],
  );
  assert.equal(outcome.problem, `plugin cpu took longer than ${outcome.timeoutMs} ms and was ended`);
  await allGone(outcome.stderrEnd, 2);
  assert.deepEqual(
    runner.takePoints().map((point) => [point.tags.status, point.fields.value]),
    [['timeout', 124]],
  );
});

test('a plugin that ignores SIGTERM is ended by SIGKILL after the grace time, its children too', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(t, "trap '' TERM", 'sleep 600 & echo $$ $! >&2', 'while :; do sleep 1; done');
  const outcome = await runTooLong(runner, { folder, graceMs: 100 }, 2);
  assert.deepEqual([outcome.status, outcome.value, outcome.signal], ['timeout', 124, 'SIGKILL']);
  await allGone(outcome.stderrEnd, 2);
});

test('a plugin that tidies up at SIGTERM within the grace time may do so, and is timed out all the same', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(
    t,
    "trap 'echo tidy >&2; exit 0' TERM",
    `echo '[{"name":"a","value":1}]'`,
    'echo $$ >&2',
    'while :; do sleep 0.05; done',
  );
  const outcome = await runTooLong(runner, { folder, graceMs: 20_000 }, 1);
  assert.deepEqual([outcome.status, outcome.value, outcome.exitCode], ['timeout', 124, undefined]);
  assert.match(outcome.stderrEnd, /tidy/);
  assert.equal(outcome.points, 1, 'the list was complete before the time-out');
  assert.deepEqual(
    runner.takePoints().map((point) => point.measurement),
    ['PLUGIN.cpu.a', 'plugin.cpu'],
  );
});

test('a plugin that closes its outputs and stays runs on, until it exits or is timed out', async (t) => {
  const runner = runnerPool(t);
  const exiting = shellPlugin(t, `echo '[{"name":"a","value":1}]'`, 'exec >&- 2>&-', 'sleep 0.3', 'exit 4');
  const exited = await runner.run({ folder: exiting });
  assert.deepEqual([exited.status, exited.value, exited.points], ['exit', 4, 1]);
  const staying = shellPlugin(t, 'echo "[]"; echo $$ >&2', 'exec >&- 2>&-', 'exec sleep 600');
  const stayed = await runTooLong(runner, { folder: staying }, 1);
  assert.equal(stayed.status, 'timeout');
  await allGone(stayed.stderrEnd, 1);
});

test('a plugin that is ended by a signal from outside has the status signal', async (t) => {
  const runner = runnerPool(t);
  for (const [signal, value] of [
    ['KILL', 137],
    ['SEGV', 139],
    ['TERM', 143],
  ] as const) {
    const outcome = await runner.run({ folder: shellPlugin(t, 'echo "[]"', `kill -${signal} $$`) });
    assert.deepEqual(
      [outcome.status, outcome.value, outcome.exitCode, outcome.signal],
      ['signal', value, undefined, `SIG${signal}`],
    );
    assert.equal(outcome.problem, `plugin cpu was ended by SIG${signal}`);
  }
});

test('a real-time signal, which has no name, goes by its number', {
  skip:
    (cLibrary().library === undefined || process.env.AGENT_RUNNER_ENGINE === 'cross-spawn') &&
    'Node.js alone takes it for an exit with code 0',
}, async (t) => {
  const outcome = await runnerPool(t).run({ folder: shellPlugin(t, 'echo "[]"', 'kill -40 $$') });
  assert.deepEqual([outcome.status, outcome.value, outcome.signal], ['signal', 168, 'signal 40']);
  assert.equal(outcome.problem, 'plugin cpu was ended by signal 40');
});

test('a process that a plugin leaves in its group is ended when the plugin exits', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(t, "(trap '' TERM HUP; exec sleep 600) & echo $! >&2", 'echo "[]"');
  const outcome = await runner.run({ folder });
  assert.equal(outcome.status, 'ok');
  await waitUntil('it is gone', () => !isAlive(Number(outcome.stderrEnd)));
});

test('a daemon in a session of its own that keeps stdout open delays nothing and is ended', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(
    t,
    'setsid sleep 600 & echo $! >&2',
    UNTIL_IN_OWN_SESSION,
    `echo '[{"name":"a","value":1}]'`,
  );
  const outcome = await runner.run({ folder });
  assert.deepEqual([outcome.status, outcome.points], ['ok', 1]);
  const daemon = Number(outcome.stderrEnd);
  assert.ok(daemon > 0, outcome.stderrEnd);
  await waitUntil('the daemon is gone', () => !isAlive(daemon));
  const line = await waitUntil('it is logged', () =>
    runner.logs.find(({ message }) => message.includes('left processes behind')),
  );
  assert.deepEqual(line.fields, { plugin: 'cpu', namespace: 'web.front', pids: [daemon] });
});

test('a plugin that is gone at once leaves no daemon, though its outputs could not be looked up', async (t) => {
  const runner = runnerPool(t);
  // Each in a folder of its own: what runs in the same one would be taken for what the first to end has left.
  const folders = Array.from({ length: 20 }, () =>
    shellPlugin(t, 'setsid sleep 600 & echo $! >&2; echo "[]"'),
  );
  const outcomes = await Promise.all(folders.map((folder) => runner.run({ folder })));
  for (const { status, stderrEnd } of outcomes) {
    assert.equal(status, 'ok');
    await allGone(stderrEnd, 1);
  }
});

test('at a time-out what has left the group goes too, whatever it did with its outputs', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(t, `setsid sh -c 'echo $$ >&2; exec sleep 600 >&- 2>&-' &`, 'sleep 601');
  const outcome = await runTooLong(runner, { folder }, 1);
  assert.equal(outcome.status, 'timeout');
  await allGone(outcome.stderrEnd, 1);
});

test('the folder of a plugin may go while it runs; the next run says that it is gone', async (t) => {
  const runner = runnerPool(t);
  const waits = 'while [ -e plugin ]; do sleep 0.05; done';
  const begun = join(temporaryFolder(t), 'begun');
  chmodSync(dirname(begun), 0o777);
  const folder = shellPlugin(t, `: >${begun}`, waits, `echo '[{"name":"a","value":1}]'`);
  const first = runner.run({ folder });
  await waitUntil('it runs', () => existsSync(begun));
  rmSync(folder, { recursive: true });
  const { status, points, stderrEnd } = await first;
  assert.deepEqual([status, points], ['ok', 1], stderrEnd);
  const second = await runner.run({ folder });
  assert.deepEqual([second.status, second.value], ['spawn', 127]);
});

test('a hanging plugin holds up no other of the same worker', async (t) => {
  const runner = runnerPool(t);
  const hanging = runner.run({ folder: shellPlugin(t, 'exec sleep 600'), timeoutMs: 60_000 });
  const quick = shellPlugin(t, 'echo "[]"');
  const others = await Promise.race([
    hanging,
    Promise.all(Array.from({ length: 20 }, () => runner.run({ folder: quick }))),
  ]);
  assert.ok(Array.isArray(others), 'the others are done first');
  assert.ok(others.every((outcome) => outcome.status === 'ok'));
  const [child] = childrenOfRow(runner.setup.childTable, 1);
  assert.ok(child !== undefined);
  process.kill(-child.pid, 'SIGKILL');
  assert.equal((await hanging).signal, 'SIGKILL');
});

/** Waits until the processes whose pids a plugin printed are gone; a killed one may take a moment to end. */
async function allGone(pids: string, count: number): Promise<void> {
  const numbers = pidsIn(pids);
  assert.equal(numbers.length, count, pids);
  await waitUntil(`the processes ${pids} are gone`, () => !numbers.some(isAlive));
}

function pidsIn(text: string): number[] {
  return (text.match(/\d+/g) ?? []).map(Number);
}
