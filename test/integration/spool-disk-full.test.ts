import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { codeOf } from '../../src/shared/coded-error.js';
import { Spool } from '../../src/workers/publisher/spool/spool.js';
import type { FsyncPolicy } from '../../src/workers/publisher/spool/spool-options.js';
import { recordingLog } from '../support/recording-log.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const APPENDER = fileURLToPath(new URL('spool-appender.js', import.meta.url));
const MIB = 1024 * 1024;

const NO_SMALL_DISK = canMount() ? false : 'needs root, and the right to mount a tmpfs';

function canMount(): boolean {
  if (process.geteuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), 'agent-test-mount-'));
  try {
    withSmallDisk(folder).unmount();
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A disk of 3 MiB at `folder`. */
function withSmallDisk(folder: string): { unmount(): void } {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'agent-test', folder], { stdio: 'ignore' });
  return { unmount: () => void execFileSync('umount', ['-l', folder]) };
}

/** A folder on a disk of 3 MiB, which goes before the folder does. */
function smallDisk(context: TestContext): string {
  const parent = mkdtempSync(join(tmpdir(), 'agent-test-'));
  const disk = withSmallDisk(parent);
  context.after(() => {
    disk.unmount();
    rmSync(parent, { recursive: true });
  });
  return parent;
}

function openSpool(folder: string, fsync: FsyncPolicy = 'always'): Promise<Spool> {
  return Spool.open({
    folder,
    maxBytes: 64 * MIB,
    fsync,
    log: recordingLog().log,
    onDropped: () => assert.fail('nothing is dropped'),
  });
}

async function textsOf(spool: Spool): Promise<string[]> {
  const texts: string[] = [];
  let last = 0;
  for (;;) {
    const entries = await spool.read(last, MIB);
    if (entries.length === 0) return texts;
    last = entries.at(-1)?.id ?? last;
    texts.push(...entries.map(({ document }) => document.toString('latin1', 0, document.indexOf(' '))));
  }
}

function numbered(number: number) {
  return { namespace: 'web.shop', points: 1, document: Buffer.alloc(10_000, `${number} `) };
}

test('a full disk: refused is not stored, stored is not lost, and it recovers by itself', {
  skip: NO_SMALL_DISK,
}, async (context) => {
  const disk = smallDisk(context);
  const folder = join(disk, 'spool');
  const spool = await openSpool(folder);
  const stored: string[] = [];
  let refused = 0;
  const appendSome = async (from: number, to: number) => {
    for (let number = from; number < to; number += 3) {
      const numbers = [number, number + 1, number + 2];
      try {
        const ids = await spool.append(numbers.map(numbered));
        stored.push(...numbers.map(String));
        assert.equal(ids.length, 3);
      } catch (error) {
        assert.equal(codeOf(error), 'spool-full');
        refused += 1;
      }
    }
  };
  await appendSome(0, 150);
  writeFileSync(join(disk, 'filler'), Buffer.alloc(MIB / 2));
  await appendSome(150, 450);
  assert.ok(refused > 20, `${refused} appends were refused`);
  assert.deepEqual(await textsOf(spool), stored);

  rmSync(join(disk, 'filler'));
  const before = stored.length;
  await appendSome(450, 480);
  assert.ok(stored.length > before, 'it goes on when there is room');
  await appendSome(480, 600);

  // On a full disk what was delivered frees room, too: whole segments at the latest.
  const entries = await spool.read(0, 64 * MIB);
  spool.acknowledge(entries.map(({ id }) => id));
  await spool.close();
  const again = await openSpool(folder);
  assert.deepEqual(await textsOf(again), []);
  await again.append([numbered(1000)]);
  assert.deepEqual(await textsOf(again), ['1000']);
  await again.close();
});

test('a spool on a full disk still opens, after a crash too', { skip: NO_SMALL_DISK }, async (context) => {
  const disk = smallDisk(context);
  const folder = join(disk, 'spool');
  const spool = await openSpool(folder);
  await spool.append([numbered(1), numbered(2)]);
  await spool.close();
  const path = join(folder, readdirSync(folder)[0] ?? '');
  // Of the footer only the beginning is there, as if the process had been killed while it wrote the next record.
  truncateSync(path, statSync(path).size - 90);
  writeFileSync(path, Buffer.alloc(5000, 'torn'), { flag: 'a' });
  assert.throws(() => writeFileSync(join(disk, 'filler'), Buffer.alloc(4 * MIB)), { code: 'ENOSPC' });
  const copy = await openSpool(folder);
  assert.deepEqual(await textsOf(copy), ['1', '2']);
  await assert.rejects(copy.append(Array.from({ length: 100 }, (_, number) => numbered(number))), {
    code: 'spool-full',
  });
  await copy.close();
});

test('the limit of the process for a file refuses appends, and loses nothing', async (context) => {
  const folder = join(temporaryFolder(context), 'spool');
  const command = 'ulimit -f 2000 && exec "$0" "$@"';
  const args = ['-c', command, process.execPath, APPENDER, folder, 'interval', '0', '1500'];
  const { stdout, status } = spawnSync('sh', args, { encoding: 'utf8', maxBuffer: 64 * MIB });
  assert.equal(status, 0);
  const lines = stdout.split('\n');
  const stored = lines.filter((line) => line.startsWith('stored ')).map((line) => Number(line.split(' ')[1]));
  const refusals = lines.filter((line) => line.startsWith('refused '));
  assert.ok(refusals.length > 0);
  assert.deepEqual([...new Set(refusals)], ['refused spool-full']);
  assert.ok(stored.length > 200, `${stored.length} were stored, in more than one file`);
  const spool = await openSpool(folder);
  const entries = await spool.read(0, 64 * MIB);
  assert.deepEqual(
    entries.map(({ points }) => points),
    stored,
  );
  await spool.close();
});

test('a folder that cannot be written refuses appends and goes on when it can', async (context) => {
  if (process.geteuid?.() === 0) return context.skip('root may write anywhere');
  const folder = join(temporaryFolder(context), 'spool');
  const spool = await openSpool(folder);
  chmodSync(folder, 0o500);
  await assert.rejects(spool.append([numbered(1)]), { code: 'spool-unwritable' });
  chmodSync(folder, 0o700);
  await spool.append([numbered(2)]);
  assert.deepEqual(await textsOf(spool), ['2']);
  await spool.close();
});
