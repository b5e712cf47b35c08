import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GoFeeds } from '../support/go-feed.js';
import { goSkipReason } from '../support/go-outputs.js';
import { ascending, upTo } from '../support/numbered-points.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const options = { skip: goSkipReason };

test('points become events with their tag, time, names and tags', options, async (t) => {
  const go = new GoFeeds(t, [{}]);
  go.take([1, 2.5, 'three']);
  await waitUntil('they are settled', () => go.secured.length === 1);
  assert.deepEqual(
    go.events(),
    [1, 2.5, 'three'].map((value) => ({
      id: 'go0',
      tag: 'collect.web.shop',
      time: 1_700_000_000,
      record: { measurement: 'metric', value, namespace: 'web.shop', tags: { host: 'db1', role: 'web' } },
    })),
  );
  const { state, chunks, bytes, restarts } = go.plugin();
  assert.deepEqual(
    { state, chunks, restarts },
    { state: 'running', chunks: { ok: 1, error: 0, retry: 0 }, restarts: 0 },
  );
  assert.ok(bytes.ok > 100);
});

test('a plugin that asks to try again gets the same events later, and none is lost', options, async (t) => {
  const go = new GoFeeds(t, [{ properties: { retries: '3' }, retryLimit: 5 }]);
  go.take([1, 2, 3]);
  await waitUntil('they are settled', () => go.secured.length === 1);
  assert.deepEqual(go.values(), [1, 2, 3]);
  assert.deepEqual(go.plugin().chunks, { ok: 1, error: 0, retry: 3 });
});

test('flat: tags stand beside the other keys, which win', options, async (t) => {
  const go = new GoFeeds(t, [{ format: 'flat' }]);
  go.takeTagged({ role: 'web', measurement: 'no', value: 'no', namespace: 'no' });
  await waitUntil('it is settled', () => go.secured.length === 1);
  const [event] = go.events();
  assert.deepEqual(event?.record, {
    host: 'db1',
    role: 'web',
    measurement: 'metric',
    value: 1,
    namespace: 'web.shop',
  });
});

test('a point of the agent itself has every field, in both forms', options, async (t) => {
  const go = new GoFeeds(t, [{ alias: 'nested' }, { alias: 'flat', format: 'flat' }]);
  go.takeRun();
  await waitUntil('it is settled', () => go.secured.length === 2);
  const fields = { value: 0, duration: 12.5, points: 3 };
  const common = { ...fields, measurement: 'plugin.load', namespace: 'web.shop' };
  assert.deepEqual(go.events('nested')[0]?.record, { ...common, tags: { host: 'db1', status: 'ok' } });
  assert.deepEqual(go.events('flat')[0]?.record, { ...common, host: 'db1', status: 'ok' });
});

test('numbers, texts and truth values of all sizes arrive as they are', options, async (t) => {
  const go = new GoFeeds(t, [{}]);
  const values = [
    0,
    -1,
    127,
    128,
    65_536,
    5_000_000_000,
    -5_000_000_000,
    1e300,
    0.1,
    true,
    'ü 日本 😀',
    '',
    'x'.repeat(70_000),
  ];
  go.take(values);
  await waitUntil('they are settled', () => go.secured.length === 1);
  assert.deepEqual(go.values(), values);
});

test('Match and Match_Regex choose by the tag, and what is not chosen is not counted', options, async (t) => {
  const go = new GoFeeds(t, [
    { alias: 'wild', match: 'collect.web.*' },
    { alias: 'middle', match: '*.shop' },
    { alias: 'exact', match: 'collect.web.shop' },
    { alias: 'regex', matchRegex: '\\.(shop|bank)$' },
    { alias: 'dotted', match: 'collect.web-shop' },
    { alias: 'all' },
  ]);
  go.take([1], 'web.shop');
  go.take([2], 'web.bank');
  go.take([3], 'db.shop');
  await waitUntil('all are settled', () => go.secured.length === 18 && go.values('all').length === 3);
  const got = (id: string) => ascending(go.values(id).map(Number));
  assert.deepEqual(
    Object.fromEntries(['wild', 'middle', 'exact', 'regex', 'dotted', 'all'].map((id) => [id, got(id)])),
    { wild: [1, 2], middle: [1, 3], exact: [1], regex: [1, 2, 3], dotted: [], all: [1, 2, 3] },
  );
  assert.equal(go.status(2).acceptedPoints, 1);
  assert.deepEqual(
    new Set(go.events('all').map(({ tag }) => tag)),
    new Set(['collect.web.shop', 'collect.web.bank', 'collect.db.shop']),
  );
});

test('a chunk has at most 2 MB, also where one document has more', options, async (t) => {
  const go = new GoFeeds(t, [{ flushMs: 200 }]);
  const text = (length: number, n: number) => `${n} ${'x'.repeat(length)}`;
  for (const n of upTo(20)) go.take([text(250_000, n)]);
  go.takeLarge(upTo(25).map((n) => text(200_000, 100 + n)));
  await waitUntil('they are settled', () => go.secured.length === 21);
  const lengths = go
    .calls()
    .filter((call) => call.includes(' flush '))
    .map((call) => Number(call.split(' ')[4]));
  assert.ok(
    lengths.every((length) => length <= 2_000_000),
    `${lengths}`,
  );
  assert.ok(lengths.length >= 5, 'they are filled');
  assert.equal(go.events().length, 45);
});

test(
  'what the plugin refuses is set aside, counted, and logged with library and instance',
  options,
  async (t) => {
    const go = new GoFeeds(t, [{ properties: { refuse: 'poison' } }], {});
    go.take(['good']);
    await waitUntil('the first is settled', () => go.secured.length === 1);
    go.take(['poison', 'beside it']);
    await waitUntil('the second is refused', () => go.status().setAsidePoints === 2);
    const [line] = go.said('were refused');
    assert.match(
      String(line?.message),
      /^output go0: 2 points of web\.shop were refused and set aside in .*go0\.refused: the plugin .*behaves\.so answered FLB_ERROR$/,
    );
    assert.deepEqual(go.plugin().chunks, { ok: 1, error: 1, retry: 0 });
    assert.equal(go.plugin().setAsideChunks, 1);
    await go.close();
    const kept = JSON.parse(readFileSync(join(go.folder, 'go0.refused'), 'utf8'));
    assert.deepEqual(
      kept.document.points.map(({ fields }: { fields: { value: string } }) => fields.value),
      ['poison', 'beside it'],
    );
  },
);

test('a dead-letter file takes what is refused, without a spool too', options, async (t) => {
  const path = join(temporaryFolder(t), 'dead-letters');
  const go = new GoFeeds(t, [{ properties: { answer: '7' }, deadLetterFile: path }]);
  go.take([1]);
  await waitUntil('it is refused', () => go.losses.length === 1);
  await go.close();
  const kept = JSON.parse(readFileSync(path, 'utf8'));
  assert.match(kept.reason, /answered 7, which counts as FLB_ERROR/);
});

test('Retry_Limit: so many tries after the first, then the chunk is set aside', options, async (t) => {
  const go = new GoFeeds(t, [
    { alias: 'two', retryLimit: 2, properties: { retry: 'metric' } },
    { alias: 'none', retryLimit: 'none', properties: { retry: 'metric' } },
    { alias: 'always', retryLimit: 'unlimited', properties: { retries: '12' } },
  ]);
  go.take([1]);
  await waitUntil('all have their fate', () => go.losses.length === 2 && go.secured.length === 1);
  assert.deepEqual(
    [0, 1, 2].map((place) => go.plugin(place).chunks),
    [
      { ok: 0, error: 0, retry: 3 },
      { ok: 0, error: 0, retry: 1 },
      { ok: 1, error: 0, retry: 12 },
    ],
  );
  assert.match(
    String(go.losses.find(({ reason }) => reason.includes('3 tries'))?.reason),
    /answered FLB_RETRY, the last of 3 tries that Retry_Limit allows/,
  );
});

test(
  'while one chunk waits for its next try, others go on, and a stop keeps it on disk',
  options,
  async (t) => {
    const folder = temporaryFolder(t);
    const stubborn = { retryLimit: 'unlimited' as const, retryBaseMs: 3_600_000, retryCapMs: 3_600_000 };
    const go = new GoFeeds(t, [{ ...stubborn, properties: { retry: 'later' } }], { folder });
    go.take(['later']);
    await waitUntil('it is put off', () => go.plugin().retriesWaiting === 1);
    for (const value of upTo(5)) go.take([value], `others.n${value}`);
    await waitUntil('the others are delivered', () => go.status().deliveredPoints === 5);
    assert.equal(go.plugin().retriesWaiting, 1);
    await go.close();
    const next = new GoFeeds(t, [{ properties: {} }], { folder });
    await waitUntil('the next run delivers it', () => next.values().includes('later'));
    assert.deepEqual(next.values(), [...upTo(5), 'later']);
  },
);
