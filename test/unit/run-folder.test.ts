import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isRunning, ownIdentity } from '../../src/shared/process-identity.js';
import { RunFolder, readRunFolder } from '../../src/supervisor/lifecycle/run-folder.js';
import type { RunRecord } from '../../src/supervisor/lifecycle/run-record.js';
import { ownRunRecord } from '../support/run-record.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const isRoot = process.geteuid?.() === 0;

function leave(folder: string, left: RunRecord | string): void {
  writeFileSync(join(folder, 'agent.json'), typeof left === 'string' ? left : JSON.stringify(left));
}

/** The pid of a program that ended, and was waited for. */
async function endedPid(): Promise<number> {
  const child = spawn('true', { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}

test('a claimed run folder names its agent until it is released', (context) => {
  const path = join(temporaryFolder(context), 'made', 'run');
  const folder = RunFolder.claim(path, ownRunRecord());
  folder.setAddresses('127.0.0.1:1232', join(path, 'agent.sock'));
  const state = readRunFolder(path);
  assert.equal(state.kind, 'running');
  assert.equal(state.record?.pid, process.pid);
  assert.equal(state.record?.tcpAddress, '127.0.0.1:1232');

  folder.release();
  const after = readRunFolder(path);
  assert.equal(after.kind, 'none');
  assert.equal(after.record?.pluginsdir, '/plugins', 'what the last run was is remembered');
  assert.deepEqual(readdirSync(path), ['last-run.json']);
});

test('a second claim is refused with the pid of the first', (context) => {
  const path = temporaryFolder(context);
  RunFolder.claim(path, ownRunRecord());
  assert.throws(
    () => RunFolder.claim(path, ownRunRecord()),
    (error) => error instanceof Error && error.message.includes(`already running with pid ${process.pid}`),
  );
});

test('the record of a process that ended is stale and is replaced', async (context) => {
  const path = temporaryFolder(context);
  leave(path, ownRunRecord({ pid: await endedPid(), startTicks: '1' }));
  assert.equal(readRunFolder(path).kind, 'stale');
  RunFolder.claim(path, ownRunRecord());
  const state = readRunFolder(path);
  assert.equal(state.kind === 'running' && state.record.pid, process.pid);
  assert.deepEqual(readdirSync(path).sort(), ['agent.json', 'last-run.json'], 'nothing else is left behind');
});

test('a pid that another program got since is not taken for the agent', (context) => {
  const path = temporaryFolder(context);
  leave(path, ownRunRecord({ startTicks: '1' }));
  assert.equal(readRunFolder(path).kind, 'stale');
});

test('a pid of an earlier boot is not taken for the agent', (context) => {
  const path = temporaryFolder(context);
  leave(path, ownRunRecord({ bootId: '00000000-0000-0000-0000-000000000000' }));
  assert.equal(readRunFolder(path).kind, 'stale');
});

for (const [what, text] of [
  ['an empty file', ''],
  ['half a record', '{"pid": 12'],
  ['a list', '[1]'],
  ['a negative pid', JSON.stringify({ ...ownRunRecord(), pid: -1 })],
] as const) {
  test(`${what} in place of the record is stale and is replaced`, (context) => {
    const path = temporaryFolder(context);
    leave(path, text);
    assert.equal(readRunFolder(path).kind, 'stale');
    RunFolder.claim(path, ownRunRecord());
    assert.equal(readRunFolder(path).kind, 'running');
  });
}

test('a process that ended but was not waited for by its parent counts as ended', async (context) => {
  // The shell becomes a program that never asks for the exit status of the child it started before.
  const script = 'cat <&3 >/dev/null & echo $!; exec sleep 60';
  const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
  context.after(() => parent.kill('SIGKILL'));
  assert.ok(parent.stdout);
  const [text] = await once(parent.stdout, 'data');
  const pid = Number(String(text));
  await waitUntil(
    'the shell is gone',
    () => readFileSync(`/proc/${parent.pid}/comm`, 'latin1') === 'sleep\n',
  );
  parent.stdio[3]?.destroy();
  await waitUntil('the child is a zombie', () =>
    readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z '),
  );
  assert.equal(isRunning({ ...ownIdentity(), pid, startTicks: '' }), false);
});

test('of many processes that find the same stale record exactly one gets the folder', async (context) => {
  const path = temporaryFolder(context);
  const stale = ownRunRecord({ pid: await endedPid(), startTicks: '1' });
  for (let round = 0; round < 5; round += 1) {
    leave(path, stale);
    const claimers = Array.from({ length: 6 }, () => startClaimer(context, path));
    const answers = await Promise.all(claimers.map((claimer) => claimer.answer));
    assert.deepEqual(answers.toSorted(), [...Array(5).fill('already-running'), 'claimed']);
    for (const claimer of claimers) claimer.end();
    await Promise.all(claimers.map((claimer) => claimer.ended));
  }
});

function startClaimer(context: TestContext, path: string) {
  const program = fileURLToPath(new URL('../support/run-folder-claimer.js', import.meta.url));
  const child = spawn(process.execPath, [program, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  context.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  return {
    answer: once(child.stdout, 'data').then(([text]) => String(text).trim()),
    end: () => child.stdin.end(),
    ended,
  };
}

test('a run folder that other users can write to is refused', (context) => {
  const path = join(temporaryFolder(context), 'run');
  mkdirSync(path);
  chmodSync(path, 0o777);
  assert.throws(
    () => RunFolder.claim(path, ownRunRecord()),
    /can be written by other users.*set \[agent\] rundir/,
  );
});

test('a run folder of another user is refused', { skip: isRoot ? false : 'needs root' }, (context) => {
  const path = join(temporaryFolder(context), 'run');
  mkdirSync(path);
  chownSync(path, 12345, 12345);
  assert.throws(() => RunFolder.claim(path, ownRunRecord()), /belongs to the user with id 12345/);
});

test('a symbolic link of another user is refused', { skip: isRoot ? false : 'needs root' }, (context) => {
  const folder = temporaryFolder(context);
  const path = join(folder, 'link');
  mkdirSync(join(folder, 'target'));
  symlinkSync(join(folder, 'target'), path);
  lchownSync(path, 12345, 12345);
  assert.throws(() => RunFolder.claim(path, ownRunRecord()), /belongs to the user with id 12345/);
});

test('a run folder that is a file is refused with the way out', (context) => {
  const path = join(temporaryFolder(context), 'run');
  writeFileSync(path, '');
  assert.throws(
    () => RunFolder.claim(path, ownRunRecord()),
    /run folder .* cannot be made.*set \[agent\] rundir/,
  );
});
