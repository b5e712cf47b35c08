import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunLateness } from '../../src/supervisor/plugins/run-lateness.js';

test('lateness is that of the last one to two minutes', () => {
  let nowMs = 5000;
  const lateness = new RunLateness(() => nowMs);
  assert.deepEqual(lateness.read(), { p50Ms: 0, p99Ms: 0, maxMs: 0 });
  for (let run = 0; run < 99; run += 1) lateness.note(0);
  for (const late of [20, 120.4]) lateness.note(late);
  assert.deepEqual(lateness.read(), { p50Ms: 0, p99Ms: 20, maxMs: 120 });
  nowMs += 60_000;
  lateness.note(7);
  assert.equal(lateness.read().maxMs, 120, 'a window ago');
  nowMs += 60_000;
  assert.deepEqual(lateness.read(), { p50Ms: 7, p99Ms: 7, maxMs: 7 });
  nowMs += 300_000;
  assert.deepEqual(lateness.read(), { p50Ms: 0, p99Ms: 0, maxMs: 0 });
  lateness.note(-3);
  assert.equal(lateness.read().maxMs, 0, 'a clock that was set back');
});
