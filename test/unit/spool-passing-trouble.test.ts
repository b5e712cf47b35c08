import assert from 'node:assert/strict';
import { cpSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { failingCall, systemError } from '../support/failing-call.js';
import { FILE_PROTOTYPE } from '../support/slow-disk.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { MIB, open, record, segments, texts } from './spool-under-test.js';

test('without a descriptor for what was delivered the spool is not opened, and nothing comes twice', async (t) => {
  const { spool, folder } = await open(t);
  const ids = await spool.append(['1', '2', '3'].map((text) => record(text)));
  spool.acknowledge(ids.slice(0, 2));
  await spool.close();
  const end = failingCall(t, 'fs/promises', 'open', 'EMFILE', (path) => path.endsWith('.acknowledged'));
  await assert.rejects(open(t, { folder }), { code: 'spool-unwritable' });
  end();
  const again = await open(t, { folder });
  assert.deepEqual(texts(await again.spool.read(0, MIB)), ['3']);
});

test('a file whose end cannot be cut off for want of room is delivered all the same, once', async (t) => {
  const { spool, folder } = await open(t);
  await spool.append(['1', '2', 'cut off'].map((text) => record(text)));
  await spool.close();
  const [path = ''] = segments(folder);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.indexOf('cut off') + 2));
  const { mock } = t.mock.method(FILE_PROTOTYPE, 'truncate', () => Promise.reject(systemError('ENOSPC')));
  const again = await open(t, { folder });
  mock.restore();
  const [oldest = 0] = (await again.spool.read(0, MIB)).map(({ id }) => id);
  again.spool.acknowledge([oldest]);
  await again.spool.append([record('3')]);
  assert.deepEqual(texts(await again.spool.read(0, MIB)), ['2', '3']);
  await again.spool.close();
  const last = await open(t, { folder });
  assert.deepEqual(texts(await last.spool.read(0, MIB)), ['2', '3']);
  assert.deepEqual([again.dropped, last.dropped], [[], []]);
});

test('a file that failed at once and cannot be removed does no harm to the next one', async (t) => {
  const { spool, folder } = await open(t);
  const { mock } = t.mock.method(FILE_PROTOTYPE, 'datasync', () => Promise.reject(systemError('EIO')));
  const end = failingCall(t, 'fs/promises', 'unlink', 'EROFS', (path) => path.endsWith('.segment'));
  await assert.rejects(spool.append([record('not stored')]), { code: 'spool-unwritable' });
  end();
  mock.restore();
  const [failed = ''] = segments(folder).map((path) => basename(path));
  await spool.append(['1', '2'].map((text) => record(text)));
  // As when the process is killed now. Which of two files of one id comes first is up to chance: here the wrong one.
  const killed = join(temporaryFolder(t), 'killed');
  cpSync(folder, killed, { recursive: true });
  renameSync(join(killed, failed), join(killed, failed.replace(/-.*/, '-ffffffff.segment')));
  const again = await open(t, { folder: killed });
  assert.deepEqual(texts(await again.spool.read(0, MIB)), ['1', '2']);
  assert.deepEqual(again.dropped, []);
});

test('a file that cannot be read now does not hold up what comes before it', async (t) => {
  const { spool, folder } = await open(t, { maxBytes: MIB });
  const large = 'x'.repeat(60 * 1024);
  for (const text of [`1 ${large}`, `2 ${large}`]) await spool.append([record(text)]);
  const [first = '', second = ''] = segments(folder);
  assert.ok(second > first);
  const end = failingCall(t, 'fs/promises', 'open', 'EIO', (path) => path === second);
  const before = await spool.read(0, MIB);
  assert.deepEqual(texts(before), [`1 ${large}`]);
  await assert.rejects(spool.read(before[0]?.id ?? 0, MIB), { code: 'spool-read' });
  end();
  assert.deepEqual(texts(await spool.read(before[0]?.id ?? 0, MIB)), [`2 ${large}`]);
});
