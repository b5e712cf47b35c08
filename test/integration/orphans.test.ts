import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { type TestContext } from 'node:test';
import { cLibrary } from '../../src/shared/native/c-library.js';
import { Orphans } from '../../src/supervisor/lifecycle/orphans.js';
import { begunChildren } from '../support/begun-children.js';
import { shellPlugin } from '../support/plugin-folder.js';
import { isAlive } from '../support/processes.js';
import { recordingLog } from '../support/recording-log.js';
import { PLUGIN_USER, runnerPool } from '../support/runner-pool.js';
import { waitUntil } from '../support/wait-until.js';

const skip = cLibrary().library === undefined && 'the C library cannot be called here';

/**
 * In a session of its own, nothing of the run in hand, and its parent gone. The plugin goes on when it has let go of its
 * stdout, and prints the number of it.
 */
const DAEMON =
  'daemon=$( (setsid sh -c "echo \\$\\$; cd /; exec sleep 600 </dev/null 2>/dev/null >/dev/null" &) ); echo $daemon >&2';

const ENVIRONMENT = { PATH: process.env.PATH ?? '/usr/bin:/bin', AGENT_PLUGIN: 'cpu' };

/**
 * A pool of runners and the watch over what their plugins leave behind, which ends with the test. It looks when the test
 * says so: looks of its own might end one before the test has seen it, or find some a moment before others.
 */
function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const runner = runnerPool(t);
  const { log, lines } = recordingLog();
  const orphans = Orphans.open({
    childTable: runner.setup.childTable,
    pluginsUid: () => PLUGIN_USER?.uid,
    log,
  });
  assert.ok(orphans);
  t.after(() => orphans.close());
  return { runner, orphans, lines };
}

test('a daemon of two forks is ended when its run is over, and not before', { skip }, async (t) => {
  const { runner, orphans, lines } = setUp(t);
  const waiting = runner.run({ folder: shellPlugin(t, 'exec sleep 600'), environment: ENVIRONMENT });
  const [other] = await waitUntil('the other runs', () => {
    const children = begunChildren(runner.setup.childTable, 1);
    return children.length > 0 && children;
  });
  const { stderrEnd, status } = await runner.run({
    folder: shellPlugin(t, DAEMON, 'echo "[]"'),
    environment: ENVIRONMENT,
  });
  assert.equal(status, 'ok');
  const daemon = Number(stderrEnd);
  assert.ok(isAlive(daemon), 'it got away');
  assert.equal(parentOf(daemon), process.pid, 'and became a child of the agent');
  for (let look = 0; look < 3; look += 1) orphans.look();
  assert.ok(isAlive(daemon), 'an older run may have started it');
  assert.ok(other);
  process.kill(-other.pid, 'SIGKILL');
  await waiting;
  await waitUntil('it is gone', () => {
    orphans.look();
    return !isAlive(daemon);
  });
  assert.ok(lines.some(({ message }) => message.includes(`left process ${daemon} behind`)));
  await waitUntil('its end is taken', () => {
    orphans.look();
    return parentOf(daemon) === undefined;
  });
});

test('a daemon of two forks is ended though a plugin that runs all the time is older', {
  skip,
}, async (t) => {
  const { runner, orphans, lines } = setUp(t);
  const environmentOf = (plugin: string) => ({
    ...ENVIRONMENT,
    AGENT_PLUGIN: plugin,
    AGENT_STATE: `/nowhere/.${plugin}/state`,
  });
  const running = runner.run({
    folder: shellPlugin(t, 'exec sleep 600'),
    environment: environmentOf('stream'),
  });
  const [other] = await waitUntil('the other runs', () => {
    const children = begunChildren(runner.setup.childTable, 1);
    return children.length > 0 && children;
  });
  const { stderrEnd } = await runner.run({
    folder: shellPlugin(t, DAEMON, 'echo "[]"'),
    environment: environmentOf('cpu'),
  });
  const daemon = Number(stderrEnd);
  assert.ok(isAlive(daemon), 'it got away');
  await waitUntil('it is gone', () => {
    orphans.look();
    return !isAlive(daemon);
  });
  assert.ok(lines.some(({ message }) => message.includes(`plugin cpu left process ${daemon} behind`)));
  assert.ok(other && isAlive(other.pid));
  process.kill(-other.pid, 'SIGKILL');
  await running;
});

test('a daemon of two forks, and what it has started, does not outlive the watch', { skip }, async (t) => {
  const { runner, orphans } = setUp(t);
  const daemons =
    'found=$( (setsid sh -c "sleep 600 >/dev/null 2>&1 & echo \\$\\$ \\$!; cd /; exec >/dev/null 2>&1; wait" &) ); echo $found >&2';
  const { stderrEnd } = await runner.run({
    folder: shellPlugin(t, daemons, 'echo "[]"'),
    environment: ENVIRONMENT,
  });
  const pids = stderrEnd.trim().split(' ').map(Number);
  assert.deepEqual(pids.map(isAlive), [true, true]);
  const [daemon = 0] = pids;
  await waitUntil('it is an orphan', () => parentOf(daemon) === process.pid);
  await orphans.close();
  await waitUntil('they are gone', () => !pids.some(isAlive));
});

test('of many daemons that a plugin has left one line tells', { skip }, async (t) => {
  const { runner, orphans, lines } = setUp(t);
  const folder = shellPlugin(t, DAEMON, DAEMON, DAEMON, 'echo "[]"');
  const { stderrEnd } = await runner.run({ folder, environment: ENVIRONMENT });
  const daemons = stderrEnd.trim().split('\n').map(Number);
  assert.equal(daemons.length, 3);
  await waitUntil('they are orphans', () => daemons.every((daemon) => parentOf(daemon) === process.pid));
  for (let look = 0; look < 2; look += 1) orphans.look();
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['plugin cpu left 3 processes behind, which were ended'],
  );
  await waitUntil('they are gone', () => !daemons.some(isAlive));
});

test('the end of what a run has left in its session is taken in one look', { skip }, async (t) => {
  const { runner, orphans } = setUp(t);
  const folder = shellPlugin(t, 'sleep 600 >/dev/null 2>&1 & echo $! >&2', 'echo "[]"');
  const { stderrEnd, status } = await runner.run({ folder });
  assert.equal(status, 'ok');
  const left = Number(stderrEnd);
  assert.ok(left > 0);
  await waitUntil('it has ended', () => ['Z', undefined].includes(statOf(left)?.[0]));
  orphans.takeOrphansEnds();
  assert.equal(parentOf(left), undefined);
});

/** Undefined when there is no such process, not even one that has ended. */
function parentOf(pid: number): number | undefined {
  const stat = statOf(pid);
  return stat && Number(stat[1]);
}

/** From its state on. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
