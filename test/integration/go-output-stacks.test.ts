import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GoFeeds } from '../support/go-feed.js';
import { builtGoOutput, goSkipReason } from '../support/go-outputs.js';
import { upTo } from '../support/numbered-points.js';
import { waitUntil } from '../support/wait-until.js';

/** Of each instance; more by hand, to strain it for longer. */
const CHUNKS = Number(process.env.AGENT_TEST_STRAIN_CHUNKS ?? 60);

const options = { skip: goSkipReason };

test(
  'flushes that go deep in C and from there back to Go, under collections and signals, all come back well',
  options,
  async (t) => {
    const library = builtGoOutput('strains');
    const properties = { colour: 'red' };
    const go = new GoFeeds(
      t,
      upTo(4).map(() => ({ library, properties, workers: 3 })),
    );
    for (const value of upTo(CHUNKS)) go.take([value], `n${value}.shop`);
    await waitUntil(
      'all are settled',
      () => go.secured.length + go.losses.length === 4 * CHUNKS || go.plugin().restarts > 0,
      600_000,
    );
    assert.deepEqual(go.said('it is started again in'), []);
    assert.deepEqual(go.losses, []);
    assert.equal(go.secured.length, 4 * CHUNKS);
  },
);

test(
  'a panic among the flushes of many threads is reported with its words, each time',
  options,
  async (t) => {
    const go = new GoFeeds(
      t,
      upTo(4).map(() => ({ workers: 3, properties: { panic_on: '12' } })),
    );
    for (const value of upTo(150)) go.take([value], `n${value}.shop`);
    await waitUntil('all are settled', () => go.secured.length === 600, 120_000);
    const ends = go.said('it is started again in');
    assert.ok(ends.length >= 10, `${ends.length} ends`);
    for (const { message } of ends) assert.match(message, /panic: the plugin panics as it was told/);
  },
);
