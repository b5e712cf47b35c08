import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failingCall } from '../support/failing-call.js';
import { MIB, open, record, texts } from './spool-under-test.js';

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
