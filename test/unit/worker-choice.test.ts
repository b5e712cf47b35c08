import assert from 'node:assert/strict';
import test from 'node:test';
import {
  POST_WEIGHT,
  RUNS_BEFORE_NEXT_WORKER,
  WorkerChoice,
} from '../../src/supervisor/plugins/worker-choice.js';

const WORKERS = [{ id: 11 }, { id: 12 }, { id: 13 }];

/** Has a worker chosen for a task of so many runs; gives the worker's id, and what ends the task. */
function choose(choice: WorkerChoice, runs: number, workers = WORKERS) {
  const { task, done } = choice.weigh({}, runs);
  return { id: choice.choose(task, workers)?.id, done };
}

/** The same for a shift. */
function chooseForShift(choice: WorkerChoice, workers = WORKERS) {
  const { task, done } = choice.weighShift({}, () => undefined);
  return { id: choice.choose(task, workers)?.id, done };
}

test('a worker has room for sixteen runs, posts included', () => {
  const choice = new WorkerChoice(3);
  assert.equal(choice.hasRoom(11), true);
  choice.add(11, RUNS_BEFORE_NEXT_WORKER - 1);
  assert.deepEqual([choice.hasRoom(11), choose(choice, 1).id], [true, 11]);
  assert.deepEqual([choice.hasRoom(11), choose(choice, 1).id], [false, 12]);
  choice.add(11, -1);
  assert.deepEqual([choice.hasRoom(11), choose(choice, 1).id], [true, 11]);
});

test('another worker is asked for when each has as many runs, as long as there may be more', () => {
  const choice = new WorkerChoice(2);
  const [first = { id: 0 }] = WORKERS;
  assert.equal(choose(choice, RUNS_BEFORE_NEXT_WORKER, [first]).id, 11);
  assert.equal(choose(choice, 1, [first]).id, undefined);
  assert.equal(choose(choice, 1, WORKERS.slice(0, 2)).id, 12);
});

test('when all have that many, the one with the fewest gets the next', () => {
  const choice = new WorkerChoice(3);
  for (const [index, { id }] of WORKERS.entries()) choice.add(id, RUNS_BEFORE_NEXT_WORKER + 3 - index);
  assert.deepEqual([choice.leastBusy(WORKERS)?.id, choose(choice, 1).id], [13, 13]);
  choice.add(11, -3);
  assert.deepEqual([choice.leastBusy(WORKERS)?.id, choose(choice, 1).id], [11, 11]);
  choice.add(12, 5000);
  assert.equal(choice.leastBusy(WORKERS.slice(1, 2)), undefined, 'there is an end to it');
});

test('posts go to different workers, and runs to those that have none', () => {
  const choice = new WorkerChoice(3);
  const posts = [1, 2].map(() => choose(choice, POST_WEIGHT));
  assert.deepEqual([...posts.map(({ id }) => id), choose(choice, 1).id], [11, 12, 13]);
  posts[0]?.done();
  assert.equal(choose(choice, 1).id, 11);
});

test('each worker gets one shift, those with posts last, and another one is asked for when all have one', () => {
  const choice = new WorkerChoice(3);
  choose(choice, POST_WEIGHT);
  const two = WORKERS.slice(0, 2);
  const second = chooseForShift(choice, two);
  assert.deepEqual([second.id, chooseForShift(choice, two).id], [12, undefined]);
  assert.deepEqual([chooseForShift(choice).id, chooseForShift(choice).id], [13, 11]);
  assert.equal(chooseForShift(choice).id, 12, 'a shift is never left lying');
  second.done();
  assert.equal(chooseForShift(choice).id, 12);
});

test('who gives a shift hears which worker has it; a task that no worker was found for weighs nothing', () => {
  const choice = new WorkerChoice(1);
  const chosen: number[] = [];
  const { task } = choice.weighShift({}, (id) => chosen.push(id));
  const post = choice.weigh({ type: 'post' }, POST_WEIGHT);
  assert.equal(choice.choose(task, []), null);
  assert.equal(choice.choose(post.task, []), null);
  post.done();
  assert.equal(choice.hasRoom(11), true);
  assert.equal(choice.choose(task, WORKERS.slice(0, 1))?.id, 11);
  assert.deepEqual(chosen, [11]);
});
