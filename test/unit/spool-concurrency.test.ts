import assert from 'node:assert/strict';
import { type FileHandle, open as openFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ids, MIB, open, record, texts } from './spool-under-test.js';

/** Of the event loop, before each call of the slow reader. */
const SLOW_TURNS = 100;

test('records come behind those of an earlier run while these are being read for the first time', async (t) => {
  const { spool, folder } = await open(t);
  const before = await spool.append(['1', '2', '3'].map((text) => record(text)));
  await spool.close();
  const again = await open(t, { folder });
  await slowFirstReader(t);
  let isReading = true;
  const reading = again.spool.read(0, MIB).finally(() => {
    isReading = false;
  });
  const added: number[] = [];
  while (isReading) added.push(...(await again.spool.append([record(`added ${added.length}`)])));
  assert.deepEqual(texts(await reading).slice(0, 3), ['1', '2', '3']);
  assert.ok(added.length > 0);
  assert.deepEqual(ids(await again.spool.read(0, MIB)), [...before, ...added]);
  assert.equal(again.spool.stats().records, 3 + added.length);
  await again.spool.close();
  const last = await open(t, { folder });
  assert.deepEqual(texts(await last.spool.read(0, MIB)), [
    '1',
    '2',
    '3',
    ...added.map((_, place) => `added ${place}`),
  ]);
  assert.deepEqual(
    [...again.lines, ...last.lines].filter(({ level }) => level !== 'info'),
    [],
  );
});

/** Whoever asks first how large a file is, and reads from it then, has to wait. */
async function slowFirstReader(t: TestContext): Promise<void> {
  const some = await openFile('/dev/null');
  const prototype = Object.getPrototypeOf(some) as FileHandle;
  await some.close();
  let slow: FileHandle | undefined;
  for (const name of ['stat', 'read'] as const) {
    const original = prototype[name] as (...args: unknown[]) => Promise<unknown>;
    t.mock.method(prototype, name, async function (this: FileHandle, ...args: unknown[]) {
      slow ??= this;
      for (let turn = 0; this === slow && turn < SLOW_TURNS; turn += 1) await nextTurn();
      return original.apply(this, args);
    });
  }
}
