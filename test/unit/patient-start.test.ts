import assert from 'node:assert/strict';
import test from 'node:test';
import { CodedError } from '../../src/shared/coded-error.js';
import { crossSpawnEngine } from '../../src/workers/runner/cross-spawn-engine.js';
import { startPatiently } from '../../src/workers/runner/patient-start.js';
import { startProblem } from '../../src/workers/runner/start-problem.js';
import type { ProcessEngine, ProcessRequest } from '../../src/workers/runner/started-process.js';
import { programOf } from '../support/program.js';

const REQUEST: ProcessRequest = { program: programOf({ file: '/bin/true' }) };

for (const code of ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE']) {
  test(`a start that fails with ${code} is tried again, until the time is up`, async () => {
    const told: string[] = [];
    const sentence = /^the system is out of processes, memory or descriptors \(/;
    const late = await startPatiently(failing(code, 2), REQUEST, 60_000, (problem) => told.push(problem));
    assert.equal(late.start.type, 'started');
    assert.equal(told.length, 2);
    for (const problem of told) assert.match(problem, sentence);
    if (late.start.type === 'started') assert.equal((await late.start.process.exited).code, 0);

    const { start } = await startPatiently(failing(code, 1), REQUEST, 0, () => {});
    assert.ok(start.type === 'failed' && start.isShortage);
    assert.match(start.problem, sentence);
  });
}

test('what would fail again is not tried again', async () => {
  const { start } = await startPatiently(failing('EACCES', 1), REQUEST, 60_000, () => assert.fail());
  assert.ok(start.type === 'failed' && !start.isShortage);
});

/** Stands in for a system that is short of something: so many starts fail, those behind them are real. */
function failing(code: string, times: number): ProcessEngine {
  let left = times;
  return {
    name: 'cross-spawn',
    start: async (request) => {
      if (left === 0) return crossSpawnEngine.start(request);
      left -= 1;
      return { type: 'failed', ...startProblem(new CodedError(code, `spawn ${code}`), request.program) };
    },
  };
}
