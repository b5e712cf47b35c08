import assert from 'node:assert/strict';
import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { codeOf } from '../../src/shared/coded-error.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';
import { ids, MIB, open, record, segments, texts } from './spool-under-test.js';

test('records come back in order, with all that belongs to them', async (context) => {
  const { spool } = await open(context);
  const before = Date.now();
  const stored = await spool.append([record('one', 'a', 3), record('two', 'ünïcode', 0), record('')]);
  const entries = await spool.read(0, MIB);
  assert.deepEqual(texts(entries), ['one', 'two', '']);
  assert.deepEqual(ids(entries), stored);
  assert.deepEqual(
    entries.map(({ namespace, points }) => [namespace, points]),
    [
      ['a', 3],
      ['ünïcode', 0],
      ['web.shop', 1],
    ],
  );
  for (const { storedAt } of entries) assert.ok(storedAt >= before && storedAt <= Date.now());
  assert.deepEqual(texts(await spool.read(stored[0] ?? 0, MIB)), ['two', '']);
  assert.deepEqual(await spool.append([]), []);
});

test('a document in shared memory may be overwritten as soon as append returned', async (context) => {
  const { spool } = await open(context);
  const document = Buffer.from(new SharedArrayBuffer(8));
  document.write('original');
  const stored = spool.append([{ namespace: 'a', points: 1, document }]);
  document.fill('x');
  await stored;
  assert.deepEqual(texts(await spool.read(0, MIB)), ['original']);
});

test('read gives as much as fits, and one record at least', async (context) => {
  const { spool } = await open(context);
  await spool.append(['a', 'b', 'c'].map((letter) => record(letter.repeat(1000))));
  assert.equal((await spool.read(0, 1)).length, 1);
  assert.equal((await spool.read(0, 2500)).length, 2);
  assert.equal((await spool.read(0, MIB)).length, 3);
});

test('appends of the same moment get ids in their order', async (context) => {
  const { spool } = await open(context);
  const many = Array.from({ length: 200 }, (_, number) => spool.append([record(String(number))]));
  const given = (await Promise.all(many)).flat();
  assert.deepEqual(
    given,
    given.toSorted((one, other) => one - other),
  );
  assert.deepEqual(
    texts(await spool.read(0, MIB)),
    Array.from({ length: 200 }, (_, number) => String(number)),
  );
});

test('acknowledged records are not read again, in whatever order, nor after a restart', async (context) => {
  const { spool, folder } = await open(context);
  const [one, two, three, four] = await spool.append(
    ['1', '2', '3', '4'].map((text) => record(text, 'a', 10)),
  );
  spool.acknowledge([four ?? 0, two ?? 0, two ?? 0, 12345, -1, Number.NaN]);
  assert.deepEqual(texts(await spool.read(0, MIB)), ['1', '3']);
  assert.deepEqual((({ records, points }) => [records, points])(spool.stats()), [2, 20]);
  await spool.close();
  const again = await open(context, { folder });
  assert.deepEqual(ids(await again.spool.read(0, MIB)), [one, three]);
  again.spool.acknowledge([one ?? 0, three ?? 0]);
  await again.spool.close();
  assert.deepEqual(readdirSync(folder), [], 'nothing is left of what was delivered');
});

test('acknowledgements reach the disk by themselves', async (context) => {
  const { spool, folder } = await open(context);
  const [first] = await spool.append([record('1'), record('2')]);
  spool.acknowledge([first ?? 0]);
  await waitUntil('they are written', () =>
    readdirSync(folder).some((file) => file.endsWith('.acknowledged')),
  );
});

test('the disk is free again once all is acknowledged', async (context) => {
  const { spool, folder } = await open(context);
  spool.acknowledge(await spool.append([record('1'), record('2')]));
  await waitUntil('the files are removed', () => spool.stats().bytes === 0);
  assert.deepEqual(readdirSync(folder), ['lock'], 'which says who has it open');
  assert.deepEqual(spool.stats(), { records: 0, points: 0, bytes: 0, oldestAt: undefined });
  await spool.append([record('3')]);
  assert.deepEqual(texts(await spool.read(0, MIB)), ['3']);
});

test('files and folder are for the agent alone', async (context) => {
  const folder = join(temporaryFolder(context), 'deep', 'spool');
  const { spool } = await open(context, { folder });
  const [first] = await spool.append([record('secret'), record('other')]);
  spool.acknowledge([first ?? 0]);
  await spool.close();
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  for (const file of readdirSync(folder))
    assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);
  chmodSync(folder, 0o755);
  for (const path of segments(folder)) chmodSync(path, 0o644);
  await open(context, { folder });
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  for (const path of segments(folder)) assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('the oldest records go first when the bound is reached, counted by namespace', async (context) => {
  const { spool, dropped, folder } = await open(context, { maxBytes: MIB, fsync: 'never' });
  const total: Record<string, [number, number]> = {};
  for (let number = 0; number < 600; number += 1) {
    const namespace = ['a', 'b', 'c'][number % 3] ?? '';
    await spool.append([record(String(number).padEnd(5000), namespace, number % 7)]);
    const use = readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
    assert.ok(use <= MIB);
  }
  const left = await spool.read(0, 16 * MIB);
  const gone = 600 - left.length;
  assert.ok(left.length > 100 && gone > 300, `${left.length} are left`);
  assert.deepEqual(
    left.map(({ document }) => Number(document.toString())),
    Array.from({ length: left.length }, (_, number) => gone + number),
  );
  for (const [namespace, records, points, reason] of dropped) {
    assert.equal(reason, 'full');
    const [allRecords, allPoints] = total[namespace] ?? [0, 0];
    total[namespace] = [allRecords + records, allPoints + points];
  }
  const expected: typeof total = {};
  for (let number = 0; number < gone; number += 1) {
    const namespace = ['a', 'b', 'c'][number % 3] ?? '';
    const [allRecords, allPoints] = expected[namespace] ?? [0, 0];
    expected[namespace] = [allRecords + 1, allPoints + (number % 7)];
  }
  assert.deepEqual(total, expected);
});

test('a smaller bound at the next start drops the oldest', async (context) => {
  const { spool, folder } = await open(context, { fsync: 'never' });
  for (let number = 0; number < 40; number += 1) {
    await spool.append([record(String(number).padEnd(100_000))]);
  }
  await spool.close();
  const { spool: smaller, dropped } = await open(context, { folder, maxBytes: MIB });
  const left = await smaller.read(0, 16 * MIB);
  assert.equal(
    dropped.reduce((sum, [, records]) => sum + records, left.length),
    40,
  );
});

test('more at once than a quarter of the bound is refused, and a bound that is too small', async (context) => {
  const { spool } = await open(context, { maxBytes: MIB });
  await assert.rejects(spool.append([record('x'.repeat(MIB / 2))]), { code: 'spool-too-large' });
  await assert.rejects(open(context, { maxBytes: 1000 }), { code: 'spool-size' });
});

test('what waits for the disk is bounded', async (context) => {
  const { spool } = await open(context, { maxBytes: 1024 * MIB, fsync: 'never' });
  const document = Buffer.alloc(10 * MIB);
  const appends = Array.from({ length: 10 }, () => spool.append([{ namespace: 'a', points: 1, document }]));
  const results = await Promise.allSettled(appends);
  const refused = results.filter((result) => result.status === 'rejected');
  assert.ok(refused.length > 0);
  for (const { reason } of refused) assert.equal(codeOf(reason), 'spool-busy');
  assert.equal(spool.stats().records, 10 - refused.length);
});

test('numbers that do not fit are refused and do no harm', async (context) => {
  const { spool } = await open(context);
  await assert.rejects(spool.append([record('bad', 'a', -1)]));
  await spool.append([record('good')]);
  assert.deepEqual(texts(await spool.read(0, MIB)), ['good']);
});

test('after close everything is refused, and a second close is nothing', async (context) => {
  const { spool } = await open(context);
  const stored = spool.append([record('in time')]);
  await Promise.all([spool.close(), spool.close()]);
  assert.equal((await stored).length, 1, 'what was appended before is stored');
  await assert.rejects(spool.append([record('late')]), { code: 'spool-closed' });
  await assert.rejects(spool.read(0, 1), { code: 'spool-closed' });
  spool.acknowledge([1]);
});

test('a segment that is filled up again after a restart keeps its table of contents, whatever is read beside', async (context) => {
  const large = 'x'.repeat(60_000);
  const first = await open(context, { maxBytes: MIB });
  for (let n = 0; n < 12; n += 1) await first.spool.append([record(large)]);
  await first.spool.append([record('short')]);
  await first.spool.close();
  const second = await open(context, { maxBytes: MIB, folder: first.folder });
  await second.spool.append([record('behind it', 'web.shop', 7)]);
  // More segments than tables of contents are kept.
  assert.equal((await second.spool.read(0, 2 * MIB)).length, 14);
  await second.spool.append([record('and another', 'web.shop', 11)]);
  assert.equal(second.spool.stats().points, 13 + 7 + 11);
  await second.spool.close();
  const third = await open(context, { maxBytes: MIB, folder: first.folder });
  assert.equal(third.spool.stats().points, 13 + 7 + 11);
  assert.deepEqual(texts(await third.spool.read(0, 2 * MIB)).slice(-3), [
    'short',
    'behind it',
    'and another',
  ]);
  assert.deepEqual([...second.dropped, ...third.dropped], []);
  assert.ok(third.lines.every(({ message }) => !/not finished|damaged/.test(message)));
});
