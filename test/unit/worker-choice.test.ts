import assert from 'node:assert/strict';
import test from 'node:test';
import {
  POST_WEIGHT,
  RUNS_BEFORE_NEXT_WORKER,
  WorkerChoice,
} from '../../src/supervisor/plugins/worker-choice.js';

const WORKERS = [{ id: 11 }, { id: 12 }, { id: 13 }];

/** Has a task of so many runs chosen a worker for; gives the worker's id, and what ends the task. */
function choose(choice: WorkerChoice, runs: number, workers = WORKERS) {
  const { task, done } = choice.weigh({}, runs);
  return { id: choice.choose(task, workers)?.id, done };
}

test('a worker gets sixteen runs before the next one gets any, however many tasks these come in', () => {
  const choice = new WorkerChoice(3);
  assert.equal(choice.taskSize(WORKERS), 16);
  const first = choose(choice, 14);
  assert.equal(first.id, 11);
  assert.equal(choice.taskSize(WORKERS), 2);
  assert.equal(choose(choice, 2).id, 11);
  assert.equal(choice.taskSize(WORKERS), 16);
  assert.equal(choose(choice, 1).id, 12);
  first.done();
  assert.equal(choice.taskSize(WORKERS), 14);
  assert.equal(choose(choice, 1).id, 11);
});

test('another worker is asked for when each has as many runs, as long as there may be more', () => {
  const choice = new WorkerChoice(2);
  const [first = { id: 0 }] = WORKERS;
  assert.equal(choose(choice, RUNS_BEFORE_NEXT_WORKER, [first]).id, 11);
  assert.equal(choose(choice, 1, [first]).id, undefined);
  assert.equal(choose(choice, 1, WORKERS.slice(0, 2)).id, 12);
});

test('when all have that many, the one with the fewest gets the next, one by one', () => {
  const choice = new WorkerChoice(3);
  const tasks = [2, 1, 3].map((more) => choose(choice, RUNS_BEFORE_NEXT_WORKER + more));
  assert.deepEqual(
    tasks.map(({ id }) => id),
    [11, 12, 13],
  );
  assert.equal(choice.taskSize(WORKERS), 1);
  assert.deepEqual([choose(choice, 1).id, choose(choice, 1).id], [12, 11]);
  tasks[2]?.done();
  assert.equal(choose(choice, 1).id, 13);
});

test('posts go to different workers, and runs to those that have none', () => {
  const choice = new WorkerChoice(3);
  const posts = [1, 2].map(() => choose(choice, POST_WEIGHT));
  assert.deepEqual([...posts.map(({ id }) => id), choose(choice, 1).id], [11, 12, 13]);
  posts[0]?.done();
  assert.equal(choose(choice, 1).id, 11);
});

test('a task that no worker was found for weighs nothing', () => {
  const choice = new WorkerChoice(1);
  const { task, done } = choice.weigh({ type: 'post' }, 4);
  assert.equal(choice.choose(task, []), null);
  done();
  assert.equal(choice.taskSize(WORKERS.slice(0, 1)), RUNS_BEFORE_NEXT_WORKER);
});
