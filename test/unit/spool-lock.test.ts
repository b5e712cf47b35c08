import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Spool } from '../../src/workers/publisher/spool/spool.js';
import { failingCall } from '../support/failing-call.js';
import { recordingLog } from '../support/recording-log.js';
import { temporaryFolder } from '../support/temporary-folder.js';

async function open(t: TestContext, folder: string): Promise<Spool> {
  const { log } = recordingLog();
  const spool = await Spool.open({
    folder,
    maxBytes: 2 ** 20,
    fsync: 'interval',
    log,
    onDropped: () => assert.fail('nothing is dropped'),
  });
  t.after(() => spool.close());
  return spool;
}

/** A folder with the lock of another process, which runs as long as `end` is not called. */
async function lockedFolder(t: TestContext) {
  const folder = join(temporaryFolder(t), 'spool');
  const spool = await open(t, folder);
  const own = readFileSync(join(folder, 'lock'), 'latin1');
  await spool.close();
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
  const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  const boot = own.split('.').at(-1);
  writeFileSync(join(folder, 'lock'), `${child.pid}.${startTicks}.${boot}`);
  const end = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return { folder, pid: child.pid, end };
}

test('a folder that another process has open is refused, naming it, and taken when that is gone', async (t) => {
  const { folder, pid, end } = await lockedFolder(t);
  await assert.rejects(open(t, folder), {
    code: 'spool-folder',
    message: new RegExp(`in use by the process with pid ${pid}`),
  });
  await end();
  const spool = await open(t, folder);
  await spool.append([{ namespace: 'shop.test', points: 1, document: Buffer.from('1') }]);
  assert.match(readFileSync(join(folder, 'lock'), 'latin1'), new RegExp(`^${process.pid}\\.`));
  await spool.close();
  assert.ok(readdirSync(folder).every((file) => file.endsWith('.segment')));
});

test('nor is a folder taken from a process that runs, when there is no descriptor to look at it', async (t) => {
  const { folder, pid } = await lockedFolder(t);
  failingCall(t, 'fs', 'readFileSync', 'EMFILE', (path) => path.startsWith('/proc/'));
  await assert.rejects(open(t, folder), {
    code: 'spool-folder',
    message: new RegExp(`in use by the process with pid ${pid}`),
  });
});

for (const [what, make] of Object.entries<(path: string) => void>({
  'an empty file': (path) => writeFileSync(path, ''),
  garbage: (path) => writeFileSync(path, Buffer.alloc(5000, 0xff)),
  'a symbolic link': (path) => symlinkSync('/nowhere', path),
  'the lock of a process of another boot': (path) => writeFileSync(path, `${process.ppid}.1.0-0`),
})) {
  test(`${what} in place of the lock keeps nobody out`, async (t) => {
    const folder = join(temporaryFolder(t), 'spool');
    mkdirSync(folder);
    make(join(folder, 'lock'));
    const spool = await open(t, folder);
    await spool.close();
    assert.deepEqual(readdirSync(folder), []);
  });
}
