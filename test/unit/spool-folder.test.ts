import assert from 'node:assert/strict';
import { chownSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';
import { MIB, open, record, segments, texts } from './spool-under-test.js';

const isRoot = process.geteuid?.() === 0;

test('a symbolic link in place of the folder is refused, and a file', async (context) => {
  const parent = temporaryFolder(context);
  mkdirSync(join(parent, 'target'));
  symlinkSync(join(parent, 'target'), join(parent, 'link'));
  writeFileSync(join(parent, 'file'), '');
  await assert.rejects(open(context, { folder: join(parent, 'link') }), {
    code: 'spool-folder',
    message: /is a symbolic link/,
  });
  await assert.rejects(open(context, { folder: join(parent, 'file') }), { code: 'spool-folder' });
  await assert.rejects(open(context, { folder: join(parent, 'file', 'below') }), { code: 'spool-folder' });
});

test('a folder of another user is refused', { skip: isRoot ? false : 'needs root' }, async (context) => {
  const folder = join(temporaryFolder(context), 'spool');
  mkdirSync(folder);
  chownSync(folder, 12345, 12345);
  await assert.rejects(open(context, { folder }), { code: 'spool-folder', message: /user with id 12345/ });
});

test('when somebody removes the folder, the spool says so and goes on', async (context) => {
  const { spool, folder, lines } = await open(context, { fsync: 'interval' });
  await spool.append([record('lost')]);
  rmSync(folder, { recursive: true });
  await waitUntil('it is noticed', () => lines.find(({ message }) => message.includes('is gone')));
  await spool.append([record('stored')]);
  assert.deepEqual(texts(await spool.read(0, MIB)), ['stored']);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
});

test('many restarts do not leave many files', async (context) => {
  const folder = join(temporaryFolder(context), 'spool');
  for (let number = 0; number < 10; number += 1) {
    const { spool } = await open(context, { folder });
    await spool.append([record(String(number))]);
    await spool.close();
  }
  assert.equal(segments(folder).length, 1);
  const { spool } = await open(context, { folder });
  assert.equal((await spool.read(0, MIB)).length, 10);
});
