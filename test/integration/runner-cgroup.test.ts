import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { processesIn } from '../../src/shared/cgroup-processes.js';
import { rowCount } from '../../src/shared/child-table.js';
import { openCgroups } from '../../src/supervisor/cgroups/open-cgroups.js';
import { begunChildren } from '../support/begun-children.js';
import { controlledCgroup, NO_CGROUPS, NO_CONTROLLERS, testCgroup } from '../support/cgroup.js';
import { shellPlugin } from '../support/plugin-folder.js';
import { isAlive } from '../support/processes.js';
import { recordingLog } from '../support/recording-log.js';
import { NO_LIMITS, runnerPool } from '../support/runner-pool.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const skip = NO_CGROUPS ?? false;

/** Leaves the session, the group, the folder, the environment and the outputs behind, and tells its pid before. */
const DAEMON = `setsid sh -c 'echo $$ >&2; exec >/dev/null 2>&1; (cd / && env -i sleep 600 & echo $! >"$0/pid"); exit' "$AGENT_STATE" & wait`;

test('a run and all that it starts is in the cgroup of its plugin', { skip }, async (t) => {
  const folder = testCgroup(t);
  const runner = runnerPool(t);
  const plugin = shellPlugin(t, 'sleep 0.2', 'cat /proc/self/cgroup', 'setsid cat /proc/self/cgroup');
  const cgroup = { folder, controllers: [] };
  const { stdoutEnd } = await runner.run({ folder: plugin, cgroup, anyOutput: true });
  const places = stdoutEnd.split('\n').filter((line) => line.startsWith('0::'));
  assert.equal(places.length, 2);
  for (const place of places) assert.ok(folder.endsWith(place.slice('0::'.length)), place);
});

for (const [when, rest, status] of [
  ['at the end of its run', 'exit 0', 'ok'],
  ['at a time-out', 'exec sleep 601', 'timeout'],
] as const) {
  test(`a daemon that got away from everything else is ended ${when}`, { skip }, async (t) => {
    const folder = testCgroup(t);
    const runner = runnerPool(t);
    const state = temporaryFolder(t);
    const plugin = shellPlugin(t, 'sleep 0.2', DAEMON, 'cat "$AGENT_STATE/pid"', rest);
    const environment = { PATH: process.env.PATH ?? '', AGENT_STATE: join(state, 'state') };
    const outcome = await runner.run({
      folder: plugin,
      stateFolder: join(state, 'state'),
      environment,
      cgroup: { folder, controllers: [] },
      timeoutMs: status === 'timeout' ? 5000 : 20_000,
      anyOutput: true,
    });
    assert.equal(outcome.status, status, outcome.stderrEnd);
    const daemon = Number(outcome.stdoutEnd);
    assert.ok(daemon > 0, outcome.stderrEnd);
    await waitUntil('the daemon is gone', () => !isAlive(daemon));
    await waitUntil('the cgroup is empty', () => processesIn(folder).length === 0);
    const warning = runner.logs.find(
      ({ level, message }) => level === 'warn' && /left processes/.test(message),
    );
    assert.ok(warning, 'it is logged');
  });
}

test('a run without what must be ended says nothing', { skip }, async (t) => {
  const runner = runnerPool(t);
  const cgroup = { folder: testCgroup(t), controllers: [] };
  await runner.run({ folder: shellPlugin(t, 'sleep 0.2 &', 'echo "[]"'), cgroup });
  assert.deepEqual(
    runner.logs.filter(({ level }) => level === 'warn'),
    [],
  );
});

test('a cgroup that is gone is no trouble for the run', async (t) => {
  const runner = runnerPool(t);
  const cgroup = { folder: '/nonexistent/cgroup', controllers: [] };
  assert.equal((await runner.run({ folder: shellPlugin(t, 'echo "[]"'), cgroup })).status, 'ok');
});

test('that the kernel has ended processes for want of memory stands in the sentence (a folder stands in)', async (t) => {
  const folder = join(temporaryFolder(t), 'cgroup');
  mkdirSync(folder);
  const events = (kills: number) => `low 0\nhigh 0\nmax 7\noom 1\noom_kill ${kills}\n`;
  writeFileSync(join(folder, 'memory.events'), events(3));
  writeFileSync(join(folder, 'cgroup.procs'), '');
  const runner = runnerPool(t);
  const run = runner.run({
    folder: shellPlugin(t, 'exec sleep 600'),
    cgroup: { folder, controllers: ['memory'] },
    limits: { ...NO_LIMITS, memory: 64_000_000 },
  });
  const rows = Array.from({ length: rowCount(runner.setup.childTable) }, (_, row) => row);
  const [child] = await waitUntil('it runs', () => {
    const children = rows.flatMap((row) => begunChildren(runner.setup.childTable, row));
    return children.length > 0 && children;
  });
  assert.ok(child);
  writeFileSync(join(folder, 'memory.events'), events(4));
  // Some ways to start a process have written its number there, which must not be found when the run has ended.
  writeFileSync(join(folder, 'cgroup.procs'), '');
  process.kill(child.pid, 'SIGKILL');
  const { status, problem } = await run;
  assert.equal(status, 'signal');
  assert.equal(problem, 'plugin cpu was ended by SIGKILL: it used more than 64000000 bytes of memory');
});

test('a memory hog is ended with all it has started when it uses more than it may', {
  skip: NO_CONTROLLERS ?? false,
}, async (t) => {
  const { log } = recordingLog();
  const cgroups = await openCgroups(controlledCgroup(t), '/run/of-this-test', log);
  assert.ok(cgroups);
  t.after(() => cgroups.close());
  const limits = { ...NO_LIMITS, memory: 48_000_000, processes: 20 };
  const cgroup = cgroups.plugins.cgroupFor('web/hog', limits);
  assert.ok(cgroup);
  assert.ok(cgroup.controllers.includes('memory'));
  const runner = runnerPool(t);
  const hog = shellPlugin(t, 'sleep 0.2; sleep 600 &', `awk 'BEGIN { s = "x"; while (1) s = s s }'`);
  const { status, problem } = await runner.run({ folder: hog, cgroup, limits });
  assert.equal(status, 'signal');
  assert.match(problem ?? '', /was ended by SIGKILL: it used more than 48000000 bytes of memory/);
  // What was ended with it may still give its memory back.
  await waitUntil('the cgroup is empty', () => processesIn(cgroup.folder).length === 0);
});
