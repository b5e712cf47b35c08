import assert from 'node:assert/strict';
import test, { after, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { EndedRun, RunBatch, RunsEnded, ToShift } from '../../src/shared/messages.js';
import { notStarted } from '../../src/shared/run-metric.js';
import { RunnerShifts } from '../../src/supervisor/plugins/runner-shifts.js';
import { WorkerChoice } from '../../src/supervisor/plugins/worker-choice.js';
import { runTask } from '../support/runner-pool.js';
import { waitUntil } from '../support/wait-until.js';

// The ports of shifts keep no process alive.
const alive = setInterval(() => {}, 60_000);
after(() => clearInterval(alive));

const OUTCOME = notStarted(126, 'it was only a test', 0);

/** A shift that was asked for, seen from its worker. */
interface Asked {
  readonly said: ToShift[];
  /** Its worker, with this thread, takes it. */
  begin(threadId: number): void;
  tell(...ended: EndedRun[]): void;
  die(): void;
}

function setUp(t: TestContext, maxWorkers: number, idleMs = 60_000) {
  const asked: Asked[] = [];
  const shifts = new RunnerShifts({
    choice: new WorkerChoice(maxWorkers),
    give: (port, begin) => new Promise((_, reject) => asked.push(askedShift(port, begin, reject))),
    idleMs,
  });
  t.after(() => shifts.close());
  const ends: EndedRun[] = [];
  const begin = (...ids: number[]) => {
    for (const runId of ids) shifts.begin(runTask({ folder: '/', runId }), (end) => ends.push(end));
  };
  return { shifts, asked, begin, ends };
}

function askedShift(port: MessagePort, begin: (threadId: number) => void, reject: (error: Error) => void) {
  const said: ToShift[] = [];
  port.on('message', (message: ToShift) => {
    said.push(message);
    if (message.type === 'end') port.close();
  });
  port.unref();
  return {
    said,
    begin,
    tell: (...ended: EndedRun[]) => port.postMessage({ type: 'ended', ended } satisfies RunsEnded),
    die: () => reject(new Error('the worker died')),
  };
}

const batches = ({ said }: Asked) =>
  said
    .filter((message): message is RunBatch => message.type === 'runs')
    .map(({ runs }) => runs.map(({ runId }) => runId));

const ids = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

const ended = (...runIds: number[]) => runIds.map((runId) => ({ runId, outcome: OUTCOME }));

test('the runs of one turn go together, to a worker that is put on shift for them', async (t) => {
  const { asked, begin, ends } = setUp(t, 2);
  begin(1, 2, 3);
  assert.equal(asked.length, 0);
  await nextTurn();
  const [first] = asked;
  assert.ok(first);
  first.begin(11);
  await waitUntil('they are given', () => first.said.length > 0);
  begin(4);
  await waitUntil('the next one is given', () => first.said.length > 1);
  assert.deepEqual(batches(first), [[1, 2, 3], [4]]);
  first.tell(...ended(3, 77), { runId: 1, problem: 'out of memory' });
  await waitUntil('they have ended', () => ends.length === 2);
  assert.deepEqual(ends, [...ended(3), { runId: 1, problem: 'out of memory' }]);
  assert.equal(asked.length, 1);
});

test('as many shifts are asked for as are of use; runs beyond sixteen wait for them, or for others to end', async (t) => {
  const { asked, begin } = setUp(t, 3);
  begin(...ids(1, 20));
  await nextTurn();
  assert.equal(asked.length, 2);
  const [first, second] = asked;
  assert.ok(first && second);
  first.begin(11);
  await waitUntil('it has what it takes', () => first.said.length > 0);
  assert.deepEqual(batches(first), [ids(1, 16)]);
  first.tell(...ended(5));
  await waitUntil('another one has its place', () => first.said.length > 1);
  second.begin(12);
  await waitUntil('the others are given', () => second.said.length > 0);
  assert.deepEqual([batches(first).at(-1), batches(second)], [[17], [[18, 19, 20]]]);
  begin(...ids(21, 50));
  await nextTurn();
  assert.equal(asked.length, 3);
});

test('when there are no more workers to be had, those that there are share what comes', async (t) => {
  const { asked, begin } = setUp(t, 2);
  begin(...ids(1, 40));
  await nextTurn();
  for (const [index, shift] of asked.entries()) shift.begin(11 + index);
  await waitUntil('all are given', () => asked.flatMap(batches).flat().length === 40);
  assert.deepEqual(
    asked.map((shift) => batches(shift).flat().length),
    [20, 20],
  );
});

test('a worker that dies takes along those of its runs that it has not told of, and no others', async (t) => {
  const { asked, begin, ends } = setUp(t, 2);
  begin(...ids(1, 18));
  await nextTurn();
  const [first, second] = asked;
  assert.ok(first && second);
  first.begin(11);
  second.begin(12);
  await waitUntil('all are given', () => asked.flatMap(batches).flat().length === 18);
  first.tell(...ended(1));
  first.die();
  await waitUntil('its runs are over', () => ends.length === 16);
  assert.deepEqual(ends, [
    ...ended(1),
    ...ids(2, 16).map((runId) => ({ runId, problem: 'the worker died' })),
  ]);
  begin(19);
  await waitUntil('the other one goes on', () => batches(second).flat().includes(19));
});

test('a worker without runs is sent off shift, one with runs is not; the next ones have a new shift', async (t) => {
  const { asked, begin } = setUp(t, 2, 20);
  begin(...ids(1, 18));
  await nextTurn();
  const [first, second] = asked;
  assert.ok(first && second);
  first.begin(11);
  second.begin(12);
  await waitUntil('all are given', () => asked.flatMap(batches).flat().length === 18);
  second.tell(...ended(17, 18));
  await waitUntil('it is off shift', () => second.said.at(-1)?.type === 'end');
  assert.deepEqual(batches(first), [ids(1, 16)]);
  assert.equal(first.said.length, 1);
  begin(19);
  await nextTurn();
  asked[2]?.begin(12);
  await waitUntil('the run is given', () => asked[2]?.said.length === 1);
});

test('no run is lost or done twice, however its beginning falls together with the end of a shift', async (t) => {
  const shiftsGiven = { begun: 0, ended: 0 };
  const done: number[] = [];
  const work = (port: MessagePort, over: () => void) => {
    port.on('message', (message: ToShift) => {
      if (message.type === 'end') return over();
      const runs = message.runs.map(({ runId }) => runId);
      done.push(...runs);
      port.postMessage({ type: 'ended', ended: ended(...runs) } satisfies RunsEnded);
    });
    port.unref();
  };
  const shifts = new RunnerShifts({
    choice: new WorkerChoice(1),
    give: (port, begin) =>
      new Promise((resolve) => {
        shiftsGiven.begun += 1;
        begin(11);
        work(port, () => {
          shiftsGiven.ended += 1;
          port.close();
          resolve();
        });
      }),
    // As soon as it has nothing to do, whenever that is looked at: once in a millisecond.
    idleMs: 0,
  });
  t.after(() => shifts.close());
  for (const runId of ids(1, 500)) {
    const run = new Promise((resolve) => shifts.begin(runTask({ folder: '/', runId }), resolve));
    if (runId % 3 === 0) await run;
    if (runId % 50 === 0) {
      await waitUntil('it is off shift in between', () => shiftsGiven.ended === shiftsGiven.begun);
    }
    for (let turn = 0; turn < runId % 7; turn += 1) await nextTurn();
  }
  await waitUntil('all are done', () => done.length >= 500);
  assert.deepEqual(done, ids(1, 500));
  assert.ok(shiftsGiven.begun >= 10);
});

test('runs that wait when all is closed come to nothing, and so do those that come later', async (t) => {
  const { shifts, asked, begin, ends } = setUp(t, 1);
  begin(1);
  await nextTurn();
  shifts.close();
  begin(2);
  await nextTurn();
  assert.deepEqual(
    ends,
    [1, 2].map((runId) => ({ runId, problem: 'the runners are closed' })),
  );
  assert.equal(asked.length, 1);
});

test('when a thread failed before it took its shift, the next run has another one asked for', async (t) => {
  const { shifts, asked, begin, ends } = setUp(t, 1);
  begin(1);
  await nextTurn();
  shifts.giveUpOpening();
  begin(2);
  await nextTurn();
  assert.equal(asked.length, 2);
  const [late, second] = asked;
  assert.ok(late && second);
  second.begin(12);
  await waitUntil('both are given', () => batches(second).flat().length === 2);
  late.begin(13);
  second.tell(...ended(1, 2));
  await waitUntil('both have ended', () => ends.length === 2);
});

test('when a thread failed before it took its shift, a run that waits has another one asked for, also when it is the last one', async (t) => {
  const { shifts, asked, begin, ends } = setUp(t, 1);
  begin(1);
  await nextTurn();
  shifts.giveUpOpening();
  const second = await waitUntil('another one is asked for', () => asked[1]);
  second.begin(12);
  await waitUntil('it is given', () => batches(second).flat().length === 1);
  second.tell(...ended(1));
  await waitUntil('it has ended', () => ends.length === 1);
});
