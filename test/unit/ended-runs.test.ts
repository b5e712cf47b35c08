import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { EndedRun } from '../../src/shared/messages.js';
import { EndedRuns } from '../../src/workers/runner/ended-runs.js';

const PATIENCE_MS = 2;

function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sent: (readonly EndedRun[])[] = [];
  const ended = new EndedRuns((runs) => sent.push(runs));
  const add = (...ids: number[]) => {
    for (const runId of ids) ended.add({ runId, problem: 'it was only a test' });
  };
  const pass = (ms: number) => t.mock.timers.tick(ms);
  return { add, pass, take: () => idsOf(ended.take()), sent: () => sent.map(idsOf) };
}

const idsOf = (ended: readonly EndedRun[]) => ended.map(({ runId }) => runId);

test('the ends of a few milliseconds are told together', (t) => {
  const { add, pass, sent } = setUp(t);
  add(1);
  pass(PATIENCE_MS - 1);
  add(2);
  assert.deepEqual(sent(), []);
  pass(1);
  assert.deepEqual(sent(), [[1, 2]]);
  add(3);
  pass(PATIENCE_MS);
  assert.deepEqual(sent(), [[1, 2], [3]]);
});

test('what the result of a batch tells is told once', (t) => {
  const { add, pass, take, sent } = setUp(t);
  add(1, 2);
  assert.deepEqual(take(), [1, 2]);
  assert.deepEqual(take(), []);
  pass(PATIENCE_MS);
  assert.deepEqual(sent(), []);
  add(3);
  pass(PATIENCE_MS);
  assert.deepEqual(sent(), [[3]]);
});
