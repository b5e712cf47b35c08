import assert from 'node:assert/strict';
import { readlinkSync, statSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { test } from 'node:test';
import { ENTRY_BYTES } from '../../src/workers/publisher/spool/acknowledgement-journal.js';
import { FILE_PROTOTYPE } from '../support/slow-disk.js';
import { waitUntil } from '../support/wait-until.js';
import { open, record } from './spool-under-test.js';

test('what is noted as delivered while earlier notes are synced is synced, too', async (t) => {
  const { spool } = await open(t, { fsync: 'interval' });
  const [first = 0, second = 0] = await spool.append(['1', '2', '3'].map((text) => record(text)));
  const synced: string[] = [];
  let goOn = () => {};
  const { datasync } = FILE_PROTOTYPE;
  t.mock.method(FILE_PROTOTYPE, 'datasync', async function (this: FileHandle) {
    const path = readlinkSync(`/proc/self/fd/${this.fd}`);
    if (!path.endsWith('.acknowledged')) return datasync.call(this);
    await datasync.call(this);
    synced.push(path);
    if (synced.length > 1) return;
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
  });
  spool.acknowledge([first]);
  await waitUntil('the first note is being synced', () => synced.length === 1);
  spool.acknowledge([second]);
  const [journal = ''] = synced;
  await waitUntil('the second is written', () => statSync(journal).size === 2 * ENTRY_BYTES);
  goOn();
  await waitUntil('the second is synced', () => synced.length === 2);
  assert.deepEqual(synced, [journal, journal]);
});
