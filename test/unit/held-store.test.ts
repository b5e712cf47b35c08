import assert from 'node:assert/strict';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FeedCounts } from '../../src/workers/publisher/feeds/feed-counts.js';
import { HeldRecords } from '../../src/workers/publisher/feeds/held-records.js';
import { HeldStore } from '../../src/workers/publisher/feeds/held-store.js';
import { SpoolDisk } from '../../src/workers/publisher/feeds/spool-disk.js';
import { recordingLog } from '../support/recording-log.js';
import { FILE_PROTOTYPE } from '../support/slow-disk.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { MIB, record } from './spool-under-test.js';

test('who stores the rest waits for all of it, also when it is time to store some of it meanwhile', async (t) => {
  const disk = new SpoolDisk({
    output: 'held',
    folder: join(temporaryFolder(t), 'spool'),
    maxBytes: 16 * MIB,
    fsync: 'interval',
    log: recordingLog().log,
    onDropped: () => assert.fail('nothing is dropped'),
    onOpen: () => {},
    onRecovered: () => {},
  });
  t.after(() => disk.close());
  await disk.tried;
  const held = new HeldRecords(1000);
  const all = ['1', '2'].map((text) => held.add(record(text), undefined, undefined));
  const store = new HeldStore({ held, disk, counts: new FeedCounts(), batchMostBytes: 1 });
  const { writev } = FILE_PROTOTYPE;
  const { mock } = t.mock.method(
    FILE_PROTOTYPE,
    'writev',
    function (this: FileHandle, parts: Buffer[], at: number) {
      mock.restore();
      store.start(0, () => {});
      return writev.call(this, parts, at);
    },
  );
  await store.storeRest();
  assert.deepEqual(
    all.map(({ place }) => place),
    ['stored', 'stored'],
  );
});
