import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Loss } from '../../src/shared/messages.js';
import type { SpoolSettings } from '../../src/shared/output-settings.js';
import { SetAsideFile } from '../../src/workers/publisher/feeds/set-aside-file.js';
import { SpooledFeed } from '../../src/workers/publisher/feeds/spooled-feed.js';
import { HeldOutput } from '../support/held-output.js';
import { recordingLog } from '../support/recording-log.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

interface Options {
  readonly mode?: SpoolSettings['mode'];
  readonly folder?: string;
  readonly bufferSize?: number;
  readonly maxBytes?: number;
  readonly outputCount?: number;
}

/** A feed over an output that the test settles, on a real spool. */
class FeedUnderTest {
  readonly output = new HeldOutput();
  readonly folder: string;
  readonly lines: ReturnType<typeof recordingLog>['lines'];
  readonly feed: SpooledFeed;
  readonly secured: string[] = [];
  readonly losses: Loss[] = [];
  rooms = 0;
  #isClosed = false;

  constructor(t: TestContext, options: Options = {}) {
    const { mode = 'overflow', bufferSize = 1000, maxBytes = 64 * 2 ** 20, outputCount = 1 } = options;
    this.folder = options.folder ?? temporaryFolder(t);
    const { log, lines } = recordingLog();
    this.lines = lines;
    this.feed = new SpooledFeed({
      settings: { alias: 'held', name: 'stdout', bufferSize },
      output: this.output,
      spool: { folder: this.folder, mode, maxBytes, fsync: 'interval' },
      outputCount,
      log,
      onRoom: () => {
        this.rooms += 1;
      },
    });
    t.after(() => this.close());
  }

  take(text: string, points = 1): void {
    const document = Buffer.from(text);
    this.feed.take({ namespace: 'shop.test', points, document }, (loss) => {
      if (loss) this.losses.push(loss);
      else this.secured.push(text);
      // The ring writes over what is secured.
      document.fill(0);
    });
  }

  async close(withinMs = 0) {
    if (this.#isClosed) return { keptRecords: 0, keptPoints: 0 };
    this.#isClosed = true;
    return this.feed.close(withinMs);
  }

  get status() {
    return this.feed.status();
  }
}

function texts(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, n) => `document ${from + n}`);
}

test('who was told that too much is on its way to the disk is told when there is room again', async (t) => {
  const under = new FeedUnderTest(t, { mode: 'always' });
  await under.feed.ready;
  const text = 'x'.repeat(2 ** 20);
  while (!under.feed.isFull) under.take(text);
  assert.equal(under.rooms, 0);
  await waitUntil('there is room', () => !under.feed.isFull);
  await waitUntil('it was told', () => under.rooms > 0);
});

test('what the output takes soon is never on disk', async (t) => {
  const under = new FeedUnderTest(t);
  for (const text of texts(0, 20)) under.take(text);
  assert.deepEqual(under.output.texts, texts(0, 20));
  assert.deepEqual(under.secured, []);
  under.output.settle();
  assert.deepEqual(under.secured, texts(0, 20));
  const { spooledRecords, acceptedPoints, deliveredPoints, lagPoints, memoryPoints } = under.status;
  assert.deepEqual([spooledRecords, acceptedPoints, deliveredPoints], [0, 20, 20]);
  assert.deepEqual([lagPoints, memoryPoints], [0, 0]);
});

test('what the output does not take is soon safe on disk, and what comes then goes there at once', async (t) => {
  const under = new FeedUnderTest(t);
  for (const text of texts(0, 5)) under.take(text, 10);
  await waitUntil('they are safe', () => under.secured.length === 5);
  assert.deepEqual([under.status.diskRecords, under.status.diskPoints, under.status.lagPoints], [5, 50, 50]);
  await waitUntil('the output counts as away', () => !under.status.isUp);
  for (const text of texts(5, 10)) under.take(text, 10);
  await waitUntil('those are safe, too', () => under.secured.length === 10);
  assert.equal(under.output.held.length, 5, 'the output is not given more');

  under.output.settle(1);
  await waitUntil('the rest comes from disk', () => {
    // Where the disk is slow it is away again: one that takes something now and then is not.
    if (!under.status.isUp) under.output.settle(1);
    return under.status.deliveredRecords + under.output.held.length === 10;
  });
  under.output.settle(1);
  assert.deepEqual(under.output.texts, texts(under.status.deliveredRecords, 10));
  under.take('document 10');
  assert.equal(under.output.texts.at(-1), 'document 10', 'and new ones from memory again');
  under.output.settle();
  await waitUntil('nothing is left on disk', () => under.status.diskRecords === 0);
  const { deliveredRecords, spooledRecords, lagPoints } = under.status;
  assert.deepEqual([deliveredRecords, spooledRecords, lagPoints], [11, 10, 0]);
  assert.deepEqual(await under.close(), { keptRecords: 0, keptPoints: 0 });
});

test('what memory does not hold goes to disk, in both of its bounds', async (t) => {
  const under = new FeedUnderTest(t, { bufferSize: 10 });
  // A disk that is slow to open must not make the output one that is away, which gets nothing from disk.
  await under.feed.ready;
  for (const text of texts(0, 8)) under.take(text, 5);
  assert.deepEqual(under.output.texts, texts(0, 2));
  await waitUntil('the others are safe', () => under.secured.length >= 6);
  assert.equal(under.feed.isFull, false);
  await waitUntil('those come from disk', () => {
    // Where the disk is slow it counts as away, till it takes something.
    if (!under.status.isUp) under.output.settle(1);
    return under.status.deliveredRecords + under.output.held.length === 8;
  });
  const { deliveredRecords, memoryPoints } = under.status;
  assert.deepEqual(under.output.texts, texts(deliveredRecords, 8));
  assert.ok(memoryPoints >= 10 - 5 * deliveredRecords);
});

for (const mode of ['overflow', 'always'] as const) {
  test(`mode ${mode}: very many short documents at once go to a small disk, too`, async (t) => {
    const under = new FeedUnderTest(t, { mode, bufferSize: 100_000, maxBytes: 2 * 2 ** 20 });
    await under.feed.ready;
    for (const text of texts(0, 10_000)) under.take(text);
    assert.equal((await under.close()).keptRecords, 10_000);
    assert.equal(under.secured.length, 10_000);
  });
}

test('mode always: a record is on disk before the output gets it, and gone from there when it is delivered', async (t) => {
  const under = new FeedUnderTest(t, { mode: 'always' });
  let onDisk: number | undefined;
  const { deliver } = under.output;
  under.output.deliver = (record, settle) => {
    onDisk ??= under.status.diskRecords;
    deliver.call(under.output, record, settle);
  };
  for (const text of texts(0, 10)) under.take(text);
  assert.deepEqual([under.output.texts, under.secured], [[], []]);
  await waitUntil('they are with the output', () => under.output.held.length === 10);
  assert.equal(onDisk, 10);
  assert.deepEqual(under.output.texts, texts(0, 10));
  assert.deepEqual(under.secured, texts(0, 10));
  under.output.settle();
  assert.equal(under.status.diskRecords, 0);
  assert.deepEqual([under.status.spooledRecords, under.status.deliveredRecords], [10, 10]);
});

for (const mode of ['overflow', 'always'] as const) {
  test(`mode ${mode}: a successor delivers what was left, in order, and nothing of what was delivered`, async (t) => {
    const first = new FeedUnderTest(t, { mode });
    for (const text of texts(0, 10)) first.take(text);
    await waitUntil('they are safe', () => first.secured.length === 10);
    first.output.settle(4);
    assert.deepEqual(await first.close(), { keptRecords: 6, keptPoints: 6 });
    const second = new FeedUnderTest(t, { mode, folder: first.folder });
    await waitUntil('the rest is there', () => second.output.held.length === 6);
    assert.deepEqual(second.output.texts, texts(4, 10));
    assert.ok(second.lines.some(({ message }) => /6 points wait on disk since the last run/.test(message)));
    second.output.settle();
    assert.deepEqual(await second.close(), { keptRecords: 0, keptPoints: 0 });
  });
}

test('a close puts on disk what the output did not take in time', async (t) => {
  const first = new FeedUnderTest(t);
  for (const text of texts(0, 3)) first.take(text);
  assert.deepEqual(await first.close(0), { keptRecords: 3, keptPoints: 3 });
  assert.deepEqual(first.secured, texts(0, 3));
});

test('a close waits for an output that takes what it was given', async (t) => {
  const under = new FeedUnderTest(t, { mode: 'always' });
  for (const text of texts(0, 3)) under.take(text);
  await waitUntil('the output has them', () => under.output.held.length === 3);
  const closed = under.close(30_000);
  under.output.settle();
  assert.deepEqual(await closed, { keptRecords: 0, keptPoints: 0 });
});

test('a close waits a moment for an output that was away and is back, so that what it took does not come twice', async (t) => {
  const under = new FeedUnderTest(t);
  under.take('first');
  await waitUntil('the output counts as away', () => !under.status.isUp);
  const closed = under.close(30_000);
  for (let turn = 0; turn < 200; turn += 1) await nextTurn();
  assert.equal(under.output.isClosed, false);
  under.output.settle();
  assert.deepEqual(await closed, { keptRecords: 0, keptPoints: 0 });
});

test('a close waits neither for an output that cannot be reached nor for long for one that does not answer', async (t) => {
  for (const isUp of [false, true]) {
    const under = new FeedUnderTest(t);
    under.output.isUp = isUp;
    under.take('first');
    await waitUntil('it is on disk', () => under.secured.length === 1);
    const outcome = await Promise.race([under.close(600_000), nextMinute(t)]);
    assert.deepEqual(outcome, { keptRecords: 1, keptPoints: 1 });
  }
});

test('a refusal is told to who waits, counted, logged, and leaves nothing behind', async (t) => {
  const under = new FeedUnderTest(t);
  under.take('"bad"', 7);
  under.output.settle(1, 'the topic is bad');
  assert.deepEqual(under.losses, [{ kind: 'refused', reason: 'the topic is bad' }]);
  under.take('"bad later"', 5);
  await waitUntil('it is on disk', () => under.secured.length === 1);
  under.output.settle(1, 'the topic is bad');
  assert.equal(under.status.setAsidePoints, 12);
  assert.equal(under.status.diskRecords, 0);
  assert.match(
    under.lines.at(-1)?.message ?? '',
    /output held: 7 points of shop\.test were refused and set aside in/,
  );
  await under.close();
  const kept = readFileSync(join(under.folder, 'held.refused'), 'utf8').trim().split('\n');
  const [first, second] = kept.map((line) => JSON.parse(line));
  assert.deepEqual([kept.length, first.reason, first.namespace], [2, 'the topic is bad', 'shop.test']);
  assert.deepEqual([first.document, second.document], ['bad', 'bad later']);
});

test('what is refused in the moment in which the write before it ends is kept, too', async (t) => {
  const folder = temporaryFolder(t);
  const blocker = join(folder, 'way');
  writeFileSync(blocker, 'a file in the way');
  const { log } = recordingLog();
  const refused = (text: string) => ({
    namespace: 'shop.test',
    points: 1,
    document: Buffer.from(JSON.stringify(text)),
  });
  const file = new SetAsideFile({
    path: join(blocker, 'held.refused'),
    maxBytes: 1_000_000,
    output: 'held',
    log: {
      ...log,
      error: () => {
        rmSync(blocker);
        queueMicrotask(() => file.add(refused('second'), 'bad'));
      },
    },
  });
  file.add(refused('first'), 'bad');
  await waitUntil('the second is kept', () => existsSync(file.path));
  await file.close();
  assert.equal(JSON.parse(readFileSync(file.path, 'utf8')).document, 'second');
});

for (const mode of ['overflow', 'always'] as const) {
  test(`mode ${mode}: a disk that cannot be written leaves memory, which says so, and recovers by itself`, async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, 'held'), 'a file in the way');
    const under = new FeedUnderTest(t, { mode, folder, bufferSize: 10 });
    await waitUntil('it is said', () => under.lines.some(({ level }) => level === 'error'));
    assert.match(
      under.lines[0]?.message ?? '',
      /output held: points cannot wait on disk, they wait in memory/,
    );
    for (const text of texts(0, 3)) under.take(text, 5);
    assert.deepEqual(under.output.texts, texts(0, 2));
    assert.equal(under.feed.isFull, true);
    under.output.settle(1);
    assert.equal(under.feed.isFull, false);
    assert.ok(under.rooms > 0);
    assert.deepEqual(under.output.texts, texts(1, 3));
    under.take('document 3', 5);
    rmSync(join(folder, 'held'));
    await waitUntil('all is safe', () => under.secured.length === 4);
    assert.ok(under.lines.some(({ message }) => /points can wait on disk again/.test(message)));
    assert.equal(under.lines.filter(({ level }) => level === 'error').length, 1);
    under.output.settle();
    await waitUntil('the last comes', () => under.status.deliveredRecords + under.output.held.length === 4);
  });
}

test('beside other outputs one without any room loses its own after a while, says so, and goes on when there is room', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'held'), 'a file in the way');
  const under = new FeedUnderTest(t, { folder, bufferSize: 10, outputCount: 2 });
  await waitUntil('the disk has failed', () => under.lines.some(({ level }) => level === 'error'));
  for (const text of texts(0, 3)) under.take(text, 5);
  assert.equal(under.feed.isFull, true);
  await waitUntil('it has lost the third', () => under.losses.length === 1);
  assert.equal(under.losses[0]?.kind, 'no-room');
  assert.equal(under.feed.isFull, false);
  under.take('document 3', 5);
  // The disk may be tried once more right now.
  await waitUntil('it is lost, or waits', () => under.losses.length === 2 || under.feed.isFull);
  assert.equal(under.losses.length, 2, 'no more is waited');
  assert.equal(under.status.droppedPoints['no-room'], 10);
  assert.ok(
    under.lines.some(({ message }) =>
      /5 points of shop\.test were lost: neither memory nor disk/.test(message),
    ),
  );
  under.output.settle();
  under.take('document 4', 5);
  assert.deepEqual(under.output.texts, ['document 4']);
});

test('over its bound the oldest on disk go first, counted, but not those that memory has', async (t) => {
  const maxBytes = 2 * 2 ** 20;
  const under = new FeedUnderTest(t, { maxBytes, bufferSize: 2 });
  const filler = 'x'.repeat(20_000);
  for (let n = 0; n < 200; n += 1) {
    under.take(`${n} ${filler}`);
    if (n === 1) await waitUntil('the first are on disk', () => under.secured.length === 2);
  }
  await waitUntil('all are safe', () => under.secured.length === 200);
  const { droppedPoints, diskPoints, memoryPoints } = under.status;
  assert.ok(droppedPoints.full > 0);
  assert.ok(under.status.diskBytes <= maxBytes);
  under.output.settle();
  await waitUntil('what is left comes', () => {
    under.output.settle();
    return under.status.diskRecords === 0 && under.status.lagPoints === 0;
  });
  assert.equal(
    under.status.deliveredPoints + under.status.droppedPoints.full,
    200,
    `${diskPoints} ${memoryPoints}`,
  );
  assert.ok(under.lines.some(({ message }) => /of shop\.test were dropped, the oldest first/.test(message)));
});

/** Resolves after a minute, which is far longer than what the test waits for takes. */
function nextMinute(t: TestContext): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('still waiting'), 60_000);
    t.after(() => clearTimeout(timer));
  });
}
