import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { RunTask } from '../../src/shared/messages.js';
import type { PluginLimits } from '../../src/shared/plugin-limits.js';
import { pluginFolder, shellPlugin } from '../support/plugin-folder.js';
import { NO_LIMITS, PLUGIN_USER, runnerPool } from '../support/runner-pool.js';

const METRIC = `echo '[{"name":"a","value":1}]'`;
const BUSY = 'while :; do :; done';

test('a process has the limits of its plugin, soft and hard, and no core files', async (t) => {
  const limits = {
    cpuseconds: 77,
    addressspace: 5_000_000_000,
    openfiles: 99,
    filesize: 123_456,
    processes: 3_000,
  };
  const { stdoutEnd } = await run(t, limits, { lines: ['sleep 0.2', 'cat /proc/$$/limits'] });
  const bounds = Object.fromEntries(
    stdoutEnd.split('\n').map((line) => [line.slice(0, 26).trim(), line.slice(26, 68).trim().split(/\s+/)]),
  );
  const of = (name: string) => bounds[name];
  assert.deepEqual(of('Max cpu time'), ['77', '78']);
  assert.deepEqual(of('Max address space'), ['5000000000', '5000000000']);
  assert.deepEqual(of('Max open files'), ['99', '99']);
  assert.deepEqual(of('Max file size'), ['123456', '123456']);
  assert.deepEqual(of('Max processes'), ['3000', '3000']);
  assert.deepEqual(of('Max core file size'), ['0', '0']);
});

test('without limits it has those of the agent, but for core files', async (t) => {
  const { stdoutEnd } = await run(t, {}, { lines: ['sleep 0.2', 'cat /proc/$$/limits'] });
  assert.match(stdoutEnd, /Max cpu time +unlimited +unlimited/);
  assert.match(stdoutEnd, /Max core file size +0 +0/);
});

test('a limit above what the agent may give is as much as it may give, and no trouble', async (t) => {
  const { stdoutEnd, status } = await run(
    t,
    { openfiles: 1_000_000 },
    { lines: ['sleep 0.2', 'ulimit -Hn'] },
  );
  assert.equal(status, 'ok');
  const limit = Number(stdoutEnd);
  assert.ok(limit > 0 && limit <= 1_000_000, stdoutEnd);
});

test('its niceness is that of the limits', async (t) => {
  const { stdoutEnd } = await run(t, { nice: 7 }, { lines: ['sleep 0.2', 'cut -d" " -f19 /proc/$$/stat'] });
  assert.equal(stdoutEnd, '7\n');
});

test('one that uses too much processor time is ended by SIGXCPU, and the sentence says so', async (t) => {
  const { status, value, signal, problem } = await run(t, { cpuseconds: 1 }, { lines: [BUSY] });
  assert.deepEqual([status, value, signal], ['signal', 152, 'SIGXCPU']);
  assert.equal(problem, 'plugin cpu was ended by SIGXCPU: it used more than 1 second of processor time');
});

test('one that goes on after SIGXCPU is ended by SIGKILL, with the same sentence', async (t) => {
  const { status, value, problem } = await run(t, { cpuseconds: 1 }, { lines: ["trap '' XCPU", BUSY] });
  assert.deepEqual([status, value], ['signal', 137]);
  assert.match(
    problem ?? '',
    /^plugin cpu was ended by SIGKILL: it (has probably )?used more than 1 second of processor time$/,
  );
});

test('a SIGKILL from elsewhere is not taken for it', async (t) => {
  const { problem } = await run(t, { cpuseconds: 60 }, { lines: ['kill -9 $$'] });
  assert.equal(problem, 'plugin cpu was ended by SIGKILL');
});

test('one that fills the disk is ended at the size that a file may have', async (t) => {
  const { outcome, folder } = await runIn(t, { filesize: 100_000 }, [
    'sleep 0.2',
    'exec head -c 50000000 /dev/zero >"$AGENT_STATE/large"',
  ]);
  assert.deepEqual([outcome.status, outcome.signal], ['signal', 'SIGXFSZ']);
  assert.equal(outcome.problem, 'plugin cpu was ended by SIGXFSZ: it wrote more than 100000 bytes to a file');
  assert.equal(statSync(join(dirname(folder), 'state', 'large')).size, 100_000);
});

test('one that wants more address space than it may have is refused it, and nobody else notices', async (t) => {
  const lines = ['sleep 0.2', `exec awk 'BEGIN { s = "x"; while (1) s = s s }'`];
  const runner = runnerPool(t);
  const hog = runner.run({
    folder: shellPlugin(t, ...lines),
    limits: { ...NO_LIMITS, addressspace: 200_000_000 },
    anyOutput: true,
  });
  const other = await runner.run({ folder: shellPlugin(t, METRIC) });
  const { status } = await hog;
  assert.ok(status === 'exit' || status === 'signal', status);
  assert.deepEqual([other.status, other.points], ['ok', 1]);
});

test('a fork bomb stops at the number of processes it may have, and others run on', async (t) => {
  const runner = runnerPool(t);
  // A user of its own, as the kernel counts by user: of this process, as a second one may be at the same test.
  // Gives up by itself after 300.
  const user = PLUGIN_USER && { ...PLUGIN_USER, name: 'bomb', uid: 60_000 + (process.pid % 5_000) };
  const bomb = shellPlugin(
    t,
    'sleep 0.2',
    'n=0',
    'while [ $n -lt 300 ]; do (sleep 20) & n=$((n+1)); echo $n >&2; done',
  );
  const limits = { ...NO_LIMITS, processes: 32 };
  const bombing = runner.run({ folder: bomb, user, limits, timeoutMs: 20_000, anyOutput: true });
  const others = [];
  for (let n = 0; n < 5; n += 1) others.push(await runner.run({ folder: shellPlugin(t, METRIC) }));
  const { status, stderrEnd } = await bombing;
  assert.notEqual(status, 'ok');
  const started = stderrEnd.split('\n').filter((line) => /^\d+$/.test(line)).length;
  assert.ok(started <= 40, `${started} were started`);
  assert.match(stderrEnd, /fork/i);
  for (const { status: otherStatus, points } of others) assert.deepEqual([otherStatus, points], ['ok', 1]);
});

test('what a plugin starts before it is bounded is bounded, too', async (t) => {
  // Starts its child with its very first instruction that it can. That waits for its limit, for ten seconds at most.
  const program =
    '#!/bin/sh\n(n=0; until [ "$(ulimit -n)" = 50 ] || [ $n = 200 ]; do n=$((n+1)); sleep 0.05; done; ulimit -n) &\nwait\n';
  const runner = runnerPool(t);
  const folder = pluginFolder(t, program);
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () =>
      runner.run({ folder, limits: { ...NO_LIMITS, openfiles: 50 }, anyOutput: true }),
    ),
  );
  for (const { stdoutEnd } of outcomes) assert.equal(stdoutEnd, '50\n');
});

async function run(
  t: TestContext,
  limits: Partial<PluginLimits>,
  { lines, ...task }: Partial<RunTask> & { readonly lines: readonly string[] },
) {
  const { outcome } = await runIn(t, limits, lines, task);
  return outcome;
}

async function runIn(
  t: TestContext,
  limits: Partial<PluginLimits>,
  lines: readonly string[],
  task: Partial<RunTask> = {},
) {
  const folder = shellPlugin(t, ...lines);
  const stateFolder = join(dirname(folder), 'state');
  assert.equal(existsSync(stateFolder), false);
  const outcome = await runnerPool(t).run({
    folder,
    anyOutput: true,
    environment: { PATH: process.env.PATH ?? '/usr/bin:/bin', AGENT_STATE: stateFolder },
    limits: { ...NO_LIMITS, ...limits },
    ...task,
  });
  return { outcome, folder };
}
