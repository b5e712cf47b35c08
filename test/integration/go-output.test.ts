import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GoFeeds } from '../support/go-feed.js';
import { goSkipReason } from '../support/go-outputs.js';
import { ascending, upTo } from '../support/numbered-points.js';
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

test('a panic is reported with its words, and what was under way is delivered again', options, async (t) => {
  const go = new GoFeeds(t, [{ properties: { panic_on: '3' } }]);
  for (const value of upTo(10)) {
    go.take([value]);
    await waitUntil('it is settled', () => go.secured.length === value + 1);
  }
  assert.deepEqual(ascending(new Set(go.values().map(Number))), upTo(10));
  const [report] = go.said('it is started again in');
  assert.equal(report?.level, 'error');
  assert.match(report.message, /behaves\.so \(go0\).*its process ended.*delivered again/);
  assert.match(String(report.fields.stderr), /^panic: the plugin panics as it was told\n\ngoroutine/);
  assert.ok(go.plugin().restarts >= 3);
});
