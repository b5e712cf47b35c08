import assert from 'node:assert/strict';
import test from 'node:test';
import { shellPlugin } from '../support/plugin-folder.js';
import { runnerPool } from '../support/runner-pool.js';

test('without koffi plugins are started by way of cross-spawn, which is logged once for all threads', async (t) => {
  const workerFile = new URL('../support/without-koffi-worker.js', import.meta.url);
  const runner = runnerPool(t, { threads: 2, workerFile });
  const folder = shellPlugin(t, `echo '[{"name":"a","value":1}]'`);
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => runner.run({ folder })));
  assert.deepEqual(new Set(outcomes.map(({ status }) => status)), new Set(['ok']));
  assert.equal(runner.pool.threads.length, 2);
  assert.equal(runner.takePoints().filter(({ measurement }) => measurement.endsWith('.a')).length, 8);
  const sentences = runner.logs.map(({ message }) => message).filter((text) => text.includes('cross-spawn'));
  assert.deepEqual(sentences, [
    'plugins are started by way of cross-spawn, which is slower: the package koffi does not work here: koffi is kept away',
  ]);
});
