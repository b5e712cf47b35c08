import assert from 'node:assert/strict';
import test from 'node:test';
import { WorkerChoice } from '../../src/supervisor/plugins/worker-choice.js';

const WORKERS = [{ id: 11 }, { id: 12 }, { id: 13 }];

/** Has a task of so many runs chosen a worker for; gives the worker's id, and what ends the task. */
function choose(choice: WorkerChoice, runs: number, workers = WORKERS) {
  const { task, done } = choice.weigh({}, runs);
  return { id: choice.choose(task, workers)?.id, done };
}

test('the worker with the fewest runs gets the next task, however many tasks these came in', () => {
  const choice = new WorkerChoice(3);
  assert.equal(choose(choice, 3).id, 11);
  const second = choose(choice, 2);
  assert.deepEqual([second.id, choose(choice, 1).id, choose(choice, 1).id], [12, 13, 13]);
  second.done();
  assert.equal(choose(choice, 1).id, 12);
});

test('another worker is asked for when each has four runs, as long as there may be more', () => {
  const choice = new WorkerChoice(2);
  const [first = { id: 0 }] = WORKERS;
  const one = choose(choice, 3, [first]);
  assert.equal(one.id, 11);
  assert.equal(choose(choice, 1, [first]).id, 11);
  assert.equal(choose(choice, 1, [first]).id, undefined);
  assert.equal(choose(choice, 9, WORKERS.slice(0, 2)).id, 12);
  assert.equal(choose(choice, 1, WORKERS.slice(0, 2)).id, 11);
  one.done();
});

test('a task that no worker was found for weighs nothing', () => {
  const choice = new WorkerChoice(1);
  const { task, done } = choice.weigh({ type: 'post' }, 4);
  assert.equal(choice.choose(task, []), null);
  done();
  assert.equal(choose(choice, 1, WORKERS.slice(0, 1)).id, 11);
});
