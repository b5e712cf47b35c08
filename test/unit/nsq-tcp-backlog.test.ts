import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backlog, type Batch, type BatchLimits } from '../../src/shared/nsq-tcp/backlog.js';

const NOTHING = { messages: 0, bytes: 0 };
const NOBODY = { resolve: () => {}, reject: () => {} };

function backlog(limits: Partial<BatchLimits> = {}): Backlog {
  return new Backlog({
    maxBatchBytes: 1_000,
    maxBatchMessages: 3,
    maxInFlightMessages: 1e6,
    maxInFlightBytes: 1e6,
    ...limits,
  });
}

function add(into: Backlog, topic: string, ...messages: string[]): void {
  for (const message of messages) into.add(topic, Buffer.from(message), NOBODY);
}

/** A batch as text: `topic: a b`. */
function text(batch: Batch | undefined): string | undefined {
  return (
    batch && `${batch.topic}: ${batch.messages.map((message) => Buffer.from(message).toString()).join(' ')}`
  );
}

function take(from: Backlog): Batch {
  const batch = from.take();
  assert.ok(batch, 'a batch may go');
  return batch;
}

test('a topic with nothing on the way sends at once what it has, in one batch', () => {
  const line = backlog();
  add(line, 't', 'a', 'b');
  assert.equal(text(line.take()), 't: a b');
  assert.equal(line.take(), undefined);
});

test('while an answer is outstanding messages gather until it comes', () => {
  const line = backlog();
  add(line, 't', 'a');
  const first = take(line);
  add(line, 't', 'b');
  add(line, 't', 'c');
  assert.equal(line.take(), undefined);
  line.settle(first);
  assert.equal(text(line.take()), 't: b c');
});

test('a full batch goes while answers are outstanding', () => {
  const line = backlog();
  add(line, 't', 'a');
  take(line);
  add(line, 't', 'b', 'c', 'd', 'e');
  assert.equal(text(line.take()), 't: b c d');
  assert.equal(line.take(), undefined, 'the rest is not full');
});

test('a topic does not wait for the answers of another', () => {
  const line = backlog();
  add(line, 't', 'a');
  take(line);
  add(line, 'u', 'b');
  assert.equal(text(line.take()), 'u: b');
});

test('topics take turns, however much one of them has', () => {
  const line = backlog();
  add(line, 'large', ...'abcdefghi');
  add(line, 'small', 'x');
  add(line, 'other', 'y');
  const order = [line.take(), line.take(), line.take(), line.take()].map((batch) => batch?.topic);
  assert.deepEqual(order, ['large', 'small', 'other', 'large']);
});

test('a batch is no larger than the bound, counted as the body of an MPUB', () => {
  const line = backlog({ maxBatchBytes: 4 + 2 * (4 + 10), maxBatchMessages: 100 });
  add(line, 't', '0123456789', '0123456789', 'x');
  const first = take(line);
  assert.equal(first.messages.length, 2);
  line.settle(first);
  assert.equal(take(line).messages.length, 1);
});

test('a message larger than the bound goes alone, and is not held up', () => {
  const line = backlog({ maxBatchBytes: 20 });
  add(line, 't', 'a');
  take(line);
  add(line, 't', 'b', 'x'.repeat(100), 'c');
  assert.equal(text(line.take()), 't: b');
  assert.equal(text(line.take()), `t: ${'x'.repeat(100)}`);
  assert.equal(line.take(), undefined);
});

test('large messages go by themselves, in their place, without waiting for an answer', () => {
  const line = backlog({ maxBatchBytes: 1e6, maxBatchMessages: 100 });
  const large = 'x'.repeat(40_000);
  add(line, 't', 'a', 'b', large, large, 'c', 'd');
  const sizes = [take(line), take(line), take(line)].map((batch) =>
    batch.messages.map(({ length }) => length),
  );
  assert.deepEqual(sizes, [[1, 1], [40_000], [40_000]]);
  assert.equal(line.take(), undefined, 'small ones gather');
});

test('batches given back go again as they were, in their order, before newer messages', () => {
  const line = backlog();
  add(line, 't', ...'abcdefg');
  const taken = [take(line), take(line)];
  line.giveBack(taken);
  assert.equal(line.waiting.messages, 7);
  const again = [take(line), take(line)];
  assert.deepEqual(again.map(text), ['t: a b c', 't: d e f']);
  assert.equal(line.take(), undefined);
  for (const batch of again) line.settle(batch);
  assert.equal(text(line.take()), 't: g');
});

test('the topic that was first on a broken connection is last in line', () => {
  const line = backlog();
  for (const topic of ['first', 'second', 'third']) add(line, topic, 'x');
  line.giveBack([take(line), take(line), take(line)]);
  assert.deepEqual(
    [line.take(), line.take(), line.take()].map((batch) => batch?.topic),
    ['second', 'third', 'first'],
  );
});

test('a split batch goes as two halves in its place', () => {
  const line = backlog();
  add(line, 't', 'a', 'b', 'c');
  const batch = take(line);
  add(line, 't', 'd');
  line.split(batch);
  assert.equal(line.waiting.messages, 4);
  assert.equal(text(line.take()), 't: a');
  assert.equal(text(line.take()), 't: b c');
});

test('a lowered bound holds for the batches to come', () => {
  const line = backlog({ maxBatchMessages: 100 });
  line.limitBytes(4 + 2 * (4 + 1));
  line.limitBytes(5_000);
  add(line, 't', ...'abcde');
  assert.equal(text(line.take()), 't: a b');
});

test('messages with a delay go one by one beside those of their topic, which they do not hold up', () => {
  const line = backlog();
  add(line, 't', 'a');
  for (const delayMs of [5, 7]) line.add('t', Buffer.from(`after ${delayMs}`), NOBODY, delayMs);
  add(line, 't', 'b');
  const taken = [take(line), take(line), take(line)];
  assert.deepEqual(
    taken.map((batch) => [text(batch), batch.delayMs]),
    [
      ['t: a b', undefined],
      ['t: after 5', 5],
      ['t: after 7', 7],
    ],
  );
  line.giveBack(taken);
  const again = [take(line), take(line), take(line)];
  assert.deepEqual(again.map((batch) => batch.delayMs).sort(), [5, 7, undefined]);
  for (const batch of again) line.settle(batch);
  assert.deepEqual([line.onTheWay, line.waiting], [NOTHING, NOTHING]);
});

test('no more is on the way than allowed, in messages', () => {
  const line = backlog({ maxInFlightMessages: 6 });
  add(line, 't', ...'abcdefghi');
  const first = take(line);
  take(line);
  assert.deepEqual([line.onTheWay.messages, line.take()], [6, undefined]);
  line.settle(first);
  assert.equal(text(line.take()), 't: g h i');
});

test('no more is on the way than allowed, in bytes, but one batch may always go', () => {
  const line = backlog({ maxInFlightBytes: 100, maxBatchBytes: 100 });
  add(line, 't', 'x'.repeat(500), 'y'.repeat(30));
  const large = take(line);
  assert.equal(line.take(), undefined);
  line.settle(large);
  assert.equal(take(line).messages.length, 1);
});

test('what waits and what is on the way is counted through every move', () => {
  const line = backlog();
  add(line, 't', ...'abcdef');
  const all = { messages: 6, bytes: 2 * (4 + 3 * 5) };
  assert.deepEqual([line.waiting, line.onTheWay], [all, NOTHING]);
  const [first, second] = [take(line), take(line)];
  assert.deepEqual([line.waiting, line.onTheWay], [NOTHING, all]);
  line.split(first);
  line.giveBack([second]);
  // A half has its own head.
  assert.deepEqual([line.waiting, line.onTheWay], [{ messages: 6, bytes: all.bytes + 4 }, NOTHING]);
  while (line.waiting.messages > 0) line.settle(take(line));
  assert.deepEqual([line.waiting, line.onTheWay], [NOTHING, NOTHING]);
});

test('clear takes out everything, and the backlog can be used on', () => {
  const line = backlog();
  add(line, 't', ...'abcd');
  add(line, 'u', 'x');
  assert.deepEqual(line.clear().map(text), ['t: a b c', 't: d', 'u: x']);
  assert.equal(line.waiting.messages, 0);
  assert.equal(line.take(), undefined);
  add(line, 't', 'e');
  assert.equal(text(line.take()), 't: e');
});

test('whatever happens in whatever order, every message is settled once and topics keep their order', () => {
  const line = backlog({ maxBatchMessages: 4, maxBatchBytes: 60 });
  const settled = new Map<string, number[]>();
  let onTheWay: Batch[] = [];
  let next = 0;
  const settleFirst = () => {
    const batch = onTheWay.shift();
    if (batch === undefined) return;
    line.settle(batch);
    const numbers = settled.get(batch.topic) ?? [];
    numbers.push(...batch.messages.map((message) => Number(Buffer.from(message).toString())));
    settled.set(batch.topic, numbers);
  };
  const moves = [
    () => add(line, `topic${next % 5}`, String(next++)),
    () => add(line, 'busy', String(next++), String(next++), String(next++)),
    () => takeOne(),
    () => settleFirst(),
    () => {
      line.giveBack(onTheWay);
      onTheWay = [];
    },
    () => {
      const first = onTheWay.shift();
      line.giveBack(onTheWay);
      onTheWay = [];
      if (first !== undefined && first.messages.length > 1) line.split(first);
      else if (first !== undefined) line.giveBack([first]);
    },
  ];
  function takeOne(): void {
    const batch = onTheWay.length < 8 ? line.take() : undefined;
    if (batch !== undefined) onTheWay.push(batch);
  }
  for (let step = 0; step < 20_000; step++) {
    moves[Math.floor(Math.random() * moves.length)]?.();
    // More often than the moves break it off, so that there is progress.
    if (step % 3 === 0) settleFirst();
  }
  while (line.waiting.messages > 0 || onTheWay.length > 0) {
    takeOne();
    settleFirst();
  }
  const all = [...settled.values()].flat();
  assert.equal(all.length, next);
  assert.equal(new Set(all).size, next);
  for (const [topic, numbers] of settled) {
    assert.deepEqual(
      numbers,
      numbers.toSorted((one, other) => one - other),
      `order of ${topic}`,
    );
  }
});
