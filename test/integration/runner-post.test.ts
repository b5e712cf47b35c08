import assert from 'node:assert/strict';
import test from 'node:test';
import { runnerPool } from '../support/runner-pool.js';

test('a posted list is written in order, each record awaited and named in the outcome', async (t) => {
  const runner = runnerPool(t, { maxDocumentBytes: 2000 });
  const list = Array.from({ length: 100 }, (_, value) => ({ name: 'm', value, tags: { a: 'ü b' } }));
  const outcome = await runner.post(JSON.stringify(list), { namespace: 'db', measurementPrefix: 'RUN.' });
  const records = runner.takeRecords();
  assert.deepEqual(outcome, {
    type: 'written',
    points: 100,
    records: records.map(({ lane, end }) => ({ lane, end })),
  });
  assert.ok(records.length > 5);
  for (const { namespace, database, awaited, bytes } of records) {
    assert.deepEqual([namespace, database, awaited], ['db', 'collect.db', true]);
    assert.ok(bytes <= 2000);
  }
  const points = records.flatMap((record) => record.points);
  assert.deepEqual(
    points.map((point) => point.fields.value),
    [...Array(100).keys()],
  );
  assert.equal(points[0]?.measurement, 'RUN.m');
  assert.deepEqual(points[0]?.tags, { host: 'testhost', a: 'ü-b' });
});

test('one bad metric refuses the whole post, with its index and the reason', async (t) => {
  const runner = runnerPool(t);
  const body = '[{"name":"a","value":1},{"name":"b"},{"name":"c c","value":1}]';
  assert.deepEqual(await runner.post(body), {
    type: 'bad-metric',
    bad: { index: 1, reason: 'value is missing' },
  });
  assert.deepEqual(runner.takeRecords(), []);
});

test('a body that is no JSON list is refused with the reason', async (t) => {
  const runner = runnerPool(t);
  const bodies: [string | Uint8Array, RegExp][] = [
    ['', /the body is empty/],
    ['{"name":"a","value":1}', /the body is one JSON object, not a list/],
    ['[{"name":', /the body is not JSON/],
    [Buffer.from([0x5b, 0xff, 0x5d]), /the body is not UTF-8/],
  ];
  for (const [body, reason] of bodies) {
    const outcome = await runner.post(body);
    assert.equal(outcome.type, 'not-json');
    assert.match(outcome.type === 'not-json' ? outcome.reason : '', reason);
  }
});

test('an empty list is fine and writes nothing', async (t) => {
  const runner = runnerPool(t);
  assert.deepEqual(await runner.post('[]'), { type: 'written', points: 0, records: [] });
  assert.deepEqual(runner.takeRecords(), []);
});

test('without room in the ring a post gives up, and is taken again when there is room', async (t) => {
  const runner = runnerPool(t, { laneBytes: 4096 });
  const body = JSON.stringify(Array.from({ length: 12 }, (_, value) => ({ name: 'metric', value })));
  let written = 0;
  for (;;) {
    const outcome = await runner.post(body, { roomTimeoutMs: 20 });
    if (outcome.type === 'full') break;
    assert.equal(outcome.type, 'written');
    written += 1;
  }
  assert.ok(written >= 1);
  assert.ok(runner.takePoints().length >= 12 * written);
  assert.equal((await runner.post(body)).type, 'written');
});
