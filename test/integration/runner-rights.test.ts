import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { childrenOfRow } from '../../src/shared/child-table.js';
import { cLibrary } from '../../src/shared/native/c-library.js';
import { prlimit } from '../../src/shared/native/process-calls.js';
import { releaseLane } from '../../src/shared/ring/lane-owner.js';
import { shellPlugin } from '../support/plugin-folder.js';
import { runnerPool } from '../support/runner-pool.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const { library } = cLibrary();
const noLibrary = library === undefined && 'the C library cannot be called here';
const notRoot = process.getuid?.() !== 0 && 'takes root';

test('a set-user-id program gives a plugin no rights, unless that is allowed', {
  skip: noLibrary || notRoot,
}, async (t) => {
  const folder = shellPlugin(t, './id-of-root -u');
  copyFileSync('/usr/bin/id', join(folder, 'id-of-root'));
  chmodSync(join(folder, 'id-of-root'), 0o4755);
  const confined = await runnerPool(t).run({ folder, anyOutput: true });
  assert.equal(confined.stdoutEnd, '65534\n');
  const allowed = await runnerPool(t, { allowSetuid: true }).run({ folder, anyOutput: true });
  assert.equal(allowed.stdoutEnd, '0\n');
});

test('a plugin can neither read what belongs to the agent nor signal it', { skip: notRoot }, async (t) => {
  const secrets = temporaryFolder(t);
  const token = join(secrets, 'token');
  writeFileSync(token, 'geheim', { mode: 0o600 });
  const folder = shellPlugin(
    t,
    `cat /proc/${process.pid}/environ 2>&1; cat ${token} 2>&1; ls /proc/${process.pid}/fd 2>&1`,
    `kill -TERM ${process.pid} 2>&1 || echo "not signalled"`,
  );
  const { stdoutEnd } = await runnerPool(t).run({ folder, anyOutput: true });
  assert.match(stdoutEnd, /environ: Permission denied/);
  assert.match(stdoutEnd, /token: Permission denied/);
  assert.match(stdoutEnd, /not signalled/);
  assert.doesNotMatch(stdoutEnd, /geheim/);
});

test('a thread that does not get its rights back ends at once, says why, and is replaced', {
  skip: noLibrary || notRoot,
}, async (t) => {
  const flag = join(temporaryFolder(t), 'lose-them');
  writeFileSync(flag, '');
  chmodSync(join(flag, '..'), 0o777);
  process.env.RIGHTS_LOST = flag;
  // The launcher never changes the thread's own.
  process.env.AGENT_RUNNER_ENGINE = 'posix_spawn';
  t.after(() => {
    delete process.env.RIGHTS_LOST;
    delete process.env.AGENT_RUNNER_ENGINE;
  });
  const runner = runnerPool(t, { workerFile: new URL('../support/rights-lost-worker.js', import.meta.url) });
  const folder = shellPlugin(t, 'echo "[]"');
  await assert.rejects(runner.run({ folder }));
  assert.ok(!existsSync(flag));
  await waitUntil('it says why', () =>
    runner.logs.some(({ message }) => message.includes('could not get its own rights back')),
  );
  const next = runner.run({ folder });
  releaseLane(runner.setup.ring, 1);
  assert.equal((await next).status, 'ok');
  assert.match(readFileSync('/proc/self/status', 'latin1'), /^Uid:\t0\t0\t0\t0$/m);
});

test('while the system gives no more processes, a run waits, and starts when it does', {
  skip: noLibrary,
}, async (t) => {
  assert.ok(library);
  const native = library;
  const runner = runnerPool(t);
  const folder = shellPlugin(t, 'echo "[]"');
  assert.equal((await runner.run({ folder })).status, 'ok');
  const [, hardText] = /^Max processes +\S+ +(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  const hard = hardText === 'unlimited' ? 'unlimited' : Number(hardText);
  const bound = (soft: number | 'unlimited') => prlimit(native, process.pid, 'processes', { soft, hard });
  const before = hard;
  bound(0);
  t.after(() => bound(before));
  const runs = [runner.run({ folder }), runner.run({ folder })];
  const said = () => runner.logs.filter(({ message }) => message.includes('plugins wait to be started'));
  await waitUntil('it is said', () => said().length > 0);
  const noted = () => childrenOfRow(runner.setup.childTable, 1);
  await waitUntil('no process is noted that is gone', () => noted().length === 0);
  bound(before);
  for (const outcome of await Promise.all(runs)) assert.equal(outcome.status, 'ok');
  assert.equal(said().length, 1, 'once a minute at most');
  bound(0);
  const late = await runner.run({ folder, timeoutMs: 300 });
  assert.deepEqual([late.status, late.value], ['spawn', 126]);
  assert.match(late.problem ?? '', /out of processes, memory or descriptors/);
  const warnings = runner.logs.filter(({ level }) => level === 'warn');
  assert.deepEqual(warnings, said(), 'nor of each run that has come to nothing meanwhile');
});
