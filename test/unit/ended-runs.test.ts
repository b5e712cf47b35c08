import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { EndedRun } from '../../src/shared/messages.js';
import { EndedRuns } from '../../src/workers/runner/ended-runs.js';

const PATIENCE_MS = 6;

function setUp(t: TestContext, begun: number) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] });
  const sent: (readonly EndedRun[])[] = [];
  const runs = new EndedRuns((ended) => sent.push(ended));
  for (let run = 0; run < begun; run += 1) runs.begin();
  const end = (...ids: number[]) => {
    for (const runId of ids) runs.end({ runId, problem: 'it was only a test' });
  };
  const pass = (ms: number) => t.mock.timers.tick(ms);
  return { runs, end, pass, sent: () => sent.map((ended) => ended.map(({ runId }) => runId)) };
}

test('while more runs go on than have ended, ends are told together, in time', (t) => {
  const { end, pass, sent } = setUp(t, 10);
  end(1);
  pass(PATIENCE_MS - 1);
  end(2);
  assert.deepEqual(sent(), []);
  pass(1);
  assert.deepEqual(sent(), [[1, 2]]);
  end(3);
  pass(PATIENCE_MS);
  assert.deepEqual(sent(), [[1, 2], [3]]);
});

test('when as many have ended as go on, all are told in the next turn, and once', (t) => {
  const { runs, end, pass, sent } = setUp(t, 6);
  end(1, 2);
  pass(1);
  assert.deepEqual(sent(), []);
  end(3, 4);
  assert.deepEqual(sent(), [], 'others may come along');
  end(5);
  pass(0);
  assert.deepEqual(sent(), [[1, 2, 3, 4, 5]]);
  pass(2 * PATIENCE_MS);
  assert.equal(sent().length, 1);
  runs.begin();
  end(6, 7);
  pass(0);
  assert.deepEqual(sent()[1], [6, 7]);
});

test('the only run is told of at once', (t) => {
  const { end, pass, sent } = setUp(t, 1);
  end(1);
  pass(0);
  assert.deepEqual(sent(), [[1]]);
});
