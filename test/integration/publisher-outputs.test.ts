import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Notice } from '../../src/shared/messages.js';
import { LaneWriter } from '../../src/shared/ring/lane-writer.js';
import { createRing } from '../../src/shared/ring/layout.js';
import { SpooledFeed } from '../../src/workers/publisher/feeds/spooled-feed.js';
import type { Output } from '../../src/workers/publisher/outputs/output.js';
import { Publisher } from '../../src/workers/publisher/publisher.js';
import { HeldOutput } from '../support/held-output.js';
import { recordingLog } from '../support/recording-log.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

/** A publisher of one lane with a spooled output for each alias. */
function startPublisher(t: TestContext, ring: SharedArrayBuffer, outputs: Readonly<Record<string, Output>>) {
  const { log } = recordingLog();
  const notices: Notice[] = [];
  const folder = join(temporaryFolder(t), 'spool');
  const publisher = new Publisher({
    ring,
    openFeeds: (onRoom) =>
      Object.entries(outputs).map(
        ([alias, output], _, { length }) =>
          new SpooledFeed({
            settings: { alias, name: 'stdout', bufferSize: 50 },
            output,
            spool: { folder, mode: 'overflow', maxBytes: 64 * 2 ** 20, fsync: 'interval' },
            outputCount: length,
            log,
            onRoom,
          }),
      ),
    onNotices: (more) => notices.push(...more),
  });
  const ended = publisher.run();
  const drain = async () => {
    const outcome = await publisher.drain(0);
    await ended;
    return outcome;
  };
  t.after(drain);
  return { publisher, notices, drain };
}

/** An output that takes everything at once. */
class WillingOutput extends HeldOutput {
  readonly taken: string[] = [];

  override deliver(...args: Parameters<Output['deliver']>): void {
    super.deliver(...args);
    this.taken.push(...this.texts);
    this.settle();
  }
}

function write(lane: LaneWriter, text: string): number | undefined {
  const document = { text, bytes: Buffer.byteLength(text), points: 1 };
  return lane.tryWrite({ namespace: 'shop.test', document, awaited: true });
}

test('an output that is away holds up no other, and gets everything when it is back', async (t) => {
  const ring = createRing(1, 4096);
  const away = new HeldOutput();
  const willing = new WillingOutput();
  const { publisher, notices } = startPublisher(t, ring, { away, willing });
  const lane = new LaneWriter(ring, 0);
  const all = Array.from({ length: 500 }, (_, n) => `document ${n}`);
  for (const text of all) await waitUntil('the lane has room', () => write(lane, text) !== undefined);
  await waitUntil('the willing one has all', () => willing.taken.length === all.length);
  assert.deepEqual(willing.taken, all);
  await waitUntil('who waits is told that all are safe', () => notices.length === all.length);
  assert.ok(notices.every(({ loss }) => loss === undefined));
  const [awayStatus, willingStatus] = (await publisher.status()).outputs;
  assert.deepEqual([awayStatus?.lagPoints, willingStatus?.lagPoints], [500, 0]);

  const got = new Set<string>();
  await waitUntil('it has got all', () => {
    for (const text of away.texts) got.add(text);
    away.settle();
    return got.size === all.length;
  });
  await waitUntil('nothing is left', async () => (await publisher.status()).outputs[0]?.lagPoints === 0);
  assert.equal((await publisher.status()).outputs[0]?.deliveredRecords, all.length);
});

test('who waits hears the word of the first output, when all have secured the record', async (t) => {
  const ring = createRing(1, 4096);
  const first = new HeldOutput();
  const second = new HeldOutput();
  const { notices } = startPublisher(t, ring, { first, second });
  const lane = new LaneWriter(ring, 0);
  write(lane, 'refused by the second');
  write(lane, 'refused by the first');
  await waitUntil('both outputs have both', () => first.held.length === 2 && second.held.length === 2);
  first.settle(1);
  second.settle(1, 'it does not like it');
  await waitUntil('who waits is told', () => notices.length === 1);
  assert.equal(notices[0]?.loss, undefined);
  first.settle(1, 'the topic is bad');
  await waitUntil('who waits is told', () => notices.length === 2);
  assert.deepEqual(notices[1]?.loss, { kind: 'refused', reason: 'the topic is bad' });
});

test('a stop keeps for each output what it has not got', async (t) => {
  const ring = createRing(1, 4096);
  const away = new HeldOutput();
  const { drain } = startPublisher(t, ring, { away, willing: new WillingOutput() });
  const lane = new LaneWriter(ring, 0);
  for (const text of ['one', 'two', 'three']) write(lane, text);
  await waitUntil('it has them', () => away.held.length === 3);
  assert.deepEqual(await drain(), {
    undeliveredRecords: 0,
    undeliveredPoints: 0,
    keptRecords: 3,
    keptPoints: 3,
  });
});
