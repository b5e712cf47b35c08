import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SetAside } from '../../src/workers/publisher/spool/set-aside.js';
import { SpoolFolder } from '../../src/workers/publisher/spool/spool-folder.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { MIB } from './spool-under-test.js';

test('two who need room at the same time remove one file each, and the rest stays known', async (t) => {
  const folder = new SpoolFolder(join(temporaryFolder(t), 'spool'));
  mkdirSync(folder.path);
  const files = ['1.damaged', '2.damaged', '3.damaged'];
  for (const file of files) writeFileSync(folder.file(file), 'bytes');
  const setAside = new SetAside(folder, MIB);
  await setAside.adopt(files);
  assert.deepEqual(await Promise.all([setAside.removeOldest(), setAside.removeOldest()]), [true, true]);
  assert.equal(readdirSync(folder.path).length, 1);
  assert.equal(setAside.bytes, 'bytes'.length);
  assert.deepEqual([await setAside.removeOldest(), await setAside.removeOldest()], [true, false]);
  assert.deepEqual([readdirSync(folder.path), setAside.bytes], [[], 0]);
});
