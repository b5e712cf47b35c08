import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeSpools } from '../../src/supervisor/state/spool-files.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { open, record, segments } from './spool-under-test.js';

test('all that spools make is known and removed, what is set aside as damaged too', async (t) => {
  const folder = join(temporaryFolder(t), 'spool');
  const damaged = join(folder, 'nsq');
  const first = await open(t, { folder: damaged });
  for (let n = 0; n < 20; n += 1) await first.spool.append([record(`document ${n}`)]);
  await first.spool.close();
  const [segment = ''] = segments(damaged);
  writeFileSync(segment, readFileSync(segment).fill(0, 200, 300));
  const second = await open(t, { folder: damaged });
  await second.spool.append([record('one more')]);
  const entries = await second.spool.read(0, 1_000_000);
  second.spool.acknowledge(entries.slice(0, 3).map(({ id }) => id));
  await second.spool.close();
  assert.ok(readdirSync(damaged).some((file) => file.includes('.damaged')));
  assert.ok(readdirSync(damaged).some((file) => file.endsWith('.acknowledged')));
  const other = await open(t, { folder: join(folder, 'history') });
  await other.spool.close();
  for (const file of ['nsq.refused', 'nsq.refused.1']) writeFileSync(join(folder, file), '{}\n');

  const { files, foreign } = await removeSpools(folder);
  assert.deepEqual(foreign, []);
  assert.ok(files > 4);
  assert.deepEqual(readdirSync(folder), []);
});

test('what no spool made stays and is named; links are not followed', async (t) => {
  const root = temporaryFolder(t);
  const folder = join(root, 'spool');
  const outside = join(root, 'outside');
  const name = '0000000000000001-0badcafe.segment';
  for (const path of ['nsq/sub', 'empty', 'two words', 'mine'])
    mkdirSync(join(folder, path), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, name), '');
  symlinkSync(outside, join(folder, 'linked'));
  symlinkSync(join(outside, name), join(folder, 'nsq', name));
  for (const path of [
    'notes.txt',
    `two words/${name}`,
    'mine/readme',
    'nsq/x.segment',
    `mine/${name}`,
    name,
  ]) {
    writeFileSync(join(folder, path), '');
  }
  const { files, foreign } = await removeSpools(folder);
  assert.equal(files, 1);
  assert.deepEqual(foreign, [
    name,
    'empty',
    'linked',
    'mine/readme',
    'notes.txt',
    `nsq/${name}`,
    'nsq/sub',
    'nsq/x.segment',
    'two words',
  ]);
  for (const path of foreign) assert.ok(existsSync(join(folder, path)), path);
  assert.ok(existsSync(join(outside, name)));
});

test('a spool without records leaves nothing, and a folder that is not there is no problem', async (t) => {
  const folder = join(temporaryFolder(t), 'spool');
  assert.deepEqual(await removeSpools(folder), { files: 0, foreign: [] });
  const { spool } = await open(t, { folder: join(folder, 'nsq') });
  await spool.close();
  assert.deepEqual(await removeSpools(folder), { files: 0, foreign: [] });
  assert.deepEqual(readdirSync(folder), []);
});

test('the lock of an agent that was killed goes, too', async (context) => {
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, 'nsq'), { mode: 0o700 });
  for (const name of ['lock', 'lock.4711', 'lock.after-4711.1.0-0'])
    writeFileSync(join(folder, 'nsq', name), '4711.1.0-0');
  assert.deepEqual(await removeSpools(folder), { files: 0, foreign: [] });
  assert.deepEqual(readdirSync(folder), []);
});
