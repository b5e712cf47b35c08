import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import test, { type TestContext } from 'node:test';
import { cLibrary } from '../../src/shared/native/c-library.js';
import { prlimit } from '../../src/shared/native/process-calls.js';
import { type Limited, ProcessLimits } from '../../src/workers/runner/limits/process-limits.js';
import { RunBounds } from '../../src/workers/runner/limits/run-bounds.js';
import { recordingLog } from '../support/recording-log.js';
import { NO_LIMITS } from '../support/runner-pool.js';
import { waitUntil } from '../support/wait-until.js';

const { library } = cLibrary();
const noLibrary = library === undefined && 'the C library cannot be called here';
const [OPEN_FILES, STRICTER] = [50, 20];

const RUN = { limits: NO_LIMITS, user: undefined, cgroup: undefined, pluginName: 'shell', namespace: 'shop' };
const LIMITED: Limited = {
  limits: [{ resource: 'openFiles', soft: OPEN_FILES, hard: OPEN_FILES }],
  nice: 0,
  user: undefined,
};

/** A fork that was under way when its parent was bounded cannot be had on demand: its child is passed over. */
class LimitsThatMiss extends ProcessLimits {
  missed: number | undefined;
  missedAgain = 0;

  override apply(pid: number, limited: Limited): boolean {
    return pid === this.missed || super.apply(pid, limited);
  }

  override applyWhereMissed(pid: number, limited: Limited): boolean {
    if (pid === this.missed && this.missedAgain > 0) {
      this.missedAgain -= 1;
      return true;
    }
    return super.applyWhereMissed(pid, limited);
  }
}

test('what was on its way when a process was bounded is bounded a moment later', {
  skip: noLibrary,
}, async (t) => {
  const { parent, child, boundsWhere, lines } = await setUp(t);
  boundsWhere({ isMissed: true }).apply(parent);
  assert.deepEqual(openFilesOf(parent), [OPEN_FILES, OPEN_FILES]);
  assert.notDeepEqual(openFilesOf(child), [OPEN_FILES, OPEN_FILES]);
  t.mock.timers.tick(50);
  assert.deepEqual(openFilesOf(child), [OPEN_FILES, OPEN_FILES]);
  assert.deepEqual(lines, []);
});

test('a fork that takes longer is looked for again, later each time', { skip: noLibrary }, async (t) => {
  const { parent, child, boundsWhere } = await setUp(t);
  const before = openFilesOf(child);
  boundsWhere({ isMissed: true, missedAgain: 2 }).apply(parent);
  t.mock.timers.tick(50);
  t.mock.timers.tick(100);
  assert.deepEqual(openFilesOf(child), before);
  t.mock.timers.tick(200);
  assert.deepEqual(openFilesOf(child), [OPEN_FILES, OPEN_FILES]);
});

test('what has bounded itself more strictly meanwhile is left alone', { skip: noLibrary }, async (t) => {
  assert.ok(library);
  const { parent, child, boundsWhere } = await setUp(t);
  boundsWhere({ isMissed: false }).apply(parent);
  assert.deepEqual(openFilesOf(child), [OPEN_FILES, OPEN_FILES]);
  prlimit(library, child, 'openFiles', { soft: STRICTER, hard: OPEN_FILES });
  t.mock.timers.tick(50);
  assert.deepEqual(openFilesOf(child), [STRICTER, OPEN_FILES]);
});

test('a run that has ended is not looked at again: its pid may be that of another process', {
  skip: noLibrary,
}, async (t) => {
  const { parent, child, boundsWhere } = await setUp(t);
  const before = openFilesOf(child);
  const bounds = boundsWhere({ isMissed: true });
  bounds.apply(parent);
  bounds.end(parent, undefined);
  t.mock.timers.tick(50);
  assert.deepEqual(openFilesOf(child), before);
});

/** A process with a child, and how the bounds of a run are made for it. Time stands still. */
async function setUp(t: TestContext) {
  const shell = spawn('/bin/sh', ['-c', 'sleep 1000 & echo $!; wait'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { pid: parent } = shell;
  assert.ok(parent !== undefined);
  const [printed] = (await once(shell.stdout, 'data')) as [Buffer];
  const child = Number(printed.toString());
  t.after(async () => {
    process.kill(child, 'SIGKILL');
    await once(shell, 'close');
  });
  // A shell forks again where it has to, before it becomes `sleep`.
  await waitUntil('the child is there', () => readFileSync(`/proc/${child}/comm`, 'latin1') === 'sleep\n');
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { log, lines } = recordingLog();
  const boundsWhere = ({ isMissed, missedAgain = 0 }: { isMissed: boolean; missedAgain?: number }) => {
    const limits = new LimitsThatMiss(log, (reason) => assert.fail(reason));
    if (isMissed) limits.missed = child;
    limits.missedAgain = missedAgain;
    return new RunBounds(RUN, LIMITED, limits, log);
  };
  return { parent, child, boundsWhere, lines };
}

/** Soft and hard. */
function openFilesOf(pid: number): number[] {
  const line = /^Max open files +(\d+) +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'latin1'));
  return line?.slice(1).map(Number) ?? [];
}
