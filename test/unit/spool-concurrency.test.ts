import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FILE_PROTOTYPE, slowDisk, turns } from '../support/slow-disk.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { randomFrom } from './spool-model.js';
import { ids, MIB, open, record, segments, texts } from './spool-under-test.js';

/** Of the event loop, before each call of the slow reader. */
const SLOW_TURNS = 100;

const SEEDS = Number(process.env.SPOOL_SEEDS ?? 20);
const FIRST_SEED = Number(process.env.SPOOL_SEED ?? 1);
const LIVES = 5;

test('records come behind those of an earlier run while these are being read for the first time', async (t) => {
  const { spool, folder } = await open(t);
  const before = await spool.append(['1', '2', '3'].map((text) => record(text)));
  await spool.close();
  const again = await open(t, { folder });
  slowFirstReader(t);
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

test('records whose file somebody removes while they are written to it do not count as stored', async (t) => {
  const { spool, folder, dropped } = await open(t);
  await spool.append([record('1')]);
  const { writev } = FILE_PROTOTYPE;
  const { mock } = t.mock.method(
    FILE_PROTOTYPE,
    'writev',
    async function (this: FileHandle, parts: Buffer[], at: number) {
      mock.restore();
      for (const path of segments(folder)) rmSync(path);
      // Whoever reads notices first.
      assert.deepEqual(await spool.read(0, MIB), []);
      return writev.call(this, parts, at);
    },
  );
  await assert.rejects(spool.append([record('2')]), { code: 'spool-unwritable', message: /is gone/ });
  assert.deepEqual(dropped, [['web.shop', 1, 1, 'damaged']]);
  await spool.append([record('2 again')]);
  assert.deepEqual(texts(await spool.read(0, MIB)), ['2 again']);
});

test('reads, appends and acknowledgements beside each other, on a disk of changing speed, through restarts', async (t) => {
  const parent = temporaryFolder(t);
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
    try {
      await playTogether(t, join(parent, `spool-${seed}`), seed);
    } catch (error) {
      throw new Error(`SPOOL_SEED=${seed}: ${String(error)}`, { cause: error });
    }
  }
});

/** Some lives of a spool; all that was stored is there until it is acknowledged. */
async function playTogether(t: TestContext, folder: string, seed: number): Promise<void> {
  const random = randomFrom(seed);
  const waiting = new Map<number, string>();
  for (let life = 0; life < LIVES; life += 1) {
    const { spool, lines, dropped } = await open(t, {
      folder,
      fsync: random(2) === 0 ? 'always' : 'interval',
    });
    const endSlowness = slowDisk(t, random);
    // Of a segment without any the table of contents is not read when the spool is opened.
    const acknowledges = random(2) === 0;
    let appending = 2;
    const append = async () => {
      for (let count = random(20); count >= 0; count -= 1) {
        const documents = Array.from({ length: 1 + random(5) }, (_, place) => documentOf(random, place));
        const stored = await spool.append(documents.map((document) => record(document)));
        for (const [place, id] of stored.entries()) waiting.set(id, documents[place] ?? '');
        await turns(random(20));
      }
      appending -= 1;
    };
    const read = async () => {
      let cursor = 0;
      for (let wasAppending = true; wasAppending; ) {
        wasAppending = appending > 0;
        for (const { id, document } of await spool.read(cursor, 1 + random(40_000))) {
          // It is stored a moment before the one who stores it hears so.
          while (!waiting.has(id)) await turns(1);
          assert.equal(document.toString(), waiting.get(id));
          cursor = id;
          if (!acknowledges || random(3) === 0) continue;
          waiting.delete(id);
          spool.acknowledge([id]);
        }
        await turns(random(5));
      }
    };
    await Promise.all([append(), append(), read()]);
    const oldest = ids(await spool.read(0, MIB))[0];
    assert.equal(oldest, [...waiting.keys()].sort((one, other) => one - other)[0]);
    await spool.close();
    endSlowness();
    assert.deepEqual([dropped, lines.filter(({ level }) => level !== 'info')], [[], []]);
    const { spool: again } = await open(t, { folder });
    const all = await again.read(0, 100 * MIB);
    const expected = [...waiting].sort(([one], [other]) => one - other);
    assert.deepEqual(
      all.map(({ id, document }) => [id, document.toString()]),
      expected,
    );
    await again.close();
  }
}

/** Each of them tells of itself, and the larger ones fill a segment soon. */
function documentOf(random: (below: number) => number, place: number): string {
  return `${random(1_000_000)} ${place} `.repeat(random(10) === 0 ? 1500 : 20);
}

/** Whoever asks first how large a file is, and reads from it then, has to wait. */
function slowFirstReader(t: TestContext): void {
  let slow: FileHandle | undefined;
  for (const name of ['stat', 'read'] as const) {
    const original = FILE_PROTOTYPE[name] as (...args: unknown[]) => Promise<unknown>;
    t.mock.method(FILE_PROTOTYPE, name, async function (this: FileHandle, ...args: unknown[]) {
      slow ??= this;
      if (this === slow) await turns(SLOW_TURNS);
      return original.apply(this, args);
    });
  }
}
