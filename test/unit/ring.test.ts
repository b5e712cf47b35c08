import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { claimLane, laneOf, releaseLane } from '../../src/shared/ring/lane-owner.js';
import { LaneReader, type RingRecord } from '../../src/shared/ring/lane-reader.js';
import { LaneWriter, type OutgoingRecord } from '../../src/shared/ring/lane-writer.js';
import { createRing, LANE_WORD, laneViews } from '../../src/shared/ring/layout.js';
import { RingWake } from '../../src/shared/ring/wake.js';
import { startLaneAt, trafficRecord } from '../support/ring-traffic.js';

const LANE_BYTES = 4096;
const NEVER_CANCELLED = () => false;

// Waiting on shared memory keeps no thread alive.
const alive = setInterval(() => {}, 60_000);
after(() => clearInterval(alive));

test('a record is read as it was written', () => {
  const { writer, reader } = laneOfNewRing();
  const end = writer.tryWrite({ ...recordOf('dü😀c'), namespace: 'a.b-c', awaited: true });
  const record = reader.read();
  assert.ok(record);
  assert.deepEqual(
    { ...record, document: record.document.toString() },
    { lane: 0, end, namespace: 'a.b-c', points: 1, awaited: true, document: 'dü😀c' },
  );
  assert.equal(reader.read(), undefined);
});

test('who sleeps is woken at once for a record that is awaited, for others when its patience ends', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const ring = createRing(1, LANE_BYTES);
  const [writer, wake] = [new LaneWriter(ring, 0), new RingWake(ring)];
  wake.setPatience(50);
  const sleeper = () => {
    const state = { isAwake: false, over: wake.sleep(wake.mark()) };
    void state.over.then(() => {
      state.isAwake = true;
    });
    return state;
  };

  const first = sleeper();
  writer.tryWrite({ ...recordOf('x'), awaited: true });
  await first.over;

  const second = sleeper();
  for (const text of ['a', 'b', 'c']) writer.tryWrite(recordOf(text));
  await nextTurn();
  assert.equal(second.isAwake, false);
  t.mock.timers.tick(50);
  await second.over;

  wake.setPatience(0);
  const third = sleeper();
  writer.tryWrite(recordOf('d'));
  await third.over;
});

test('the patience of who sleeps ends early when a lane fills, and when it is full', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { ring, writer, reader } = laneOfNewRing();
  const wake = new RingWake(ring);
  wake.setPatience(50);

  const whenFilling = wake.sleep(wake.mark());
  for (let n = 0; n < 3; n += 1) writer.tryWrite(recordOf('x'.repeat(500)));
  await whenFilling;

  let isAwake = false;
  const whenFull = wake.sleep(wake.mark()).then(() => {
    isAwake = true;
  });
  for (let n = 0; n < 4; n += 1) assert.notEqual(writer.tryWrite(recordOf('x'.repeat(500))), undefined);
  await nextTurn();
  assert.equal(isAwake, false, 'a reader that does not get on is not woken for every record');
  assert.equal(writer.tryWrite(recordOf('x'.repeat(500))), undefined);
  await whenFull;
  assert.equal(readAll(reader).length, 7);
});

test('writers wake who sleeps at the same moment', async (t) => {
  const delays: number[] = [];
  t.mock.method(globalThis, 'setTimeout', (_: () => void, ms: number) => {
    delays.push(ms);
  });
  t.mock.method(process.hrtime, 'bigint', () => now);
  const ring = createRing(2, LANE_BYTES);
  new RingWake(ring).setPatience(50);
  let now = 1_010_000_000n;
  new LaneWriter(ring, 0).tryWrite(recordOf('a'));
  now = 1_030_700_000n;
  new LaneWriter(ring, 1).tryWrite(recordOf('b'));
  assert.deepEqual(delays, [40, 20]);
});

test('reading frees nothing, settling does', () => {
  const { writer, reader } = laneOfNewRing();
  const record = recordOf('x'.repeat(1000));
  while (writer.tryWrite(record) !== undefined);
  const first = reader.read();
  assert.ok(first);
  assert.equal(writer.tryWrite(record), undefined);
  assert.equal(reader.isSettled, false);
  reader.settle(first.end);
  assert.notEqual(writer.tryWrite(record), undefined);
});

test('a full lane takes nothing until there is room, and nothing is lost', () => {
  const { writer, reader } = laneOfNewRing();
  let written = 0;
  while (writer.tryWrite(recordOf(`${written}`.padEnd(300, '.'))) !== undefined) written += 1;
  assert.ok(written >= 12, `${written} records of 320 bytes in a lane of ${LANE_BYTES}`);
  const texts = readAll(reader).map((record) => Number.parseInt(record.document.toString(), 10));
  assert.deepEqual(texts, [...Array(written).keys()]);
  assert.equal(reader.isSettled, true);
});

test('records of every length fit at every place, up to the bound, around the end of the lane', () => {
  const { writer, reader } = laneOfNewRing();
  let n = 0;
  for (let round = 0; round < 40; round += 1) {
    for (let length = 1; length <= writer.maxDocumentBytes; length += 97) {
      const record = recordOf(`${n % 10}`.repeat(length));
      assert.notEqual(writer.tryWrite(record), undefined, `record ${n} of ${length} bytes`);
      const read = reader.read();
      assert.equal(read?.document.toString(), record.document.text);
      if (read !== undefined) reader.settle(read.end);
      n += 1;
    }
  }
});

test('a document at the bound is taken by an empty lane whatever its position, one byte more is refused', () => {
  for (let position = 0; position < LANE_BYTES; position += 16) {
    const { writer, reader } = laneOfNewRing(position);
    const record = recordOf('x'.repeat(writer.maxDocumentBytes), 'n'.repeat(64));
    assert.notEqual(writer.tryWrite(record), undefined);
    assert.equal(reader.read()?.document.length, writer.maxDocumentBytes);
  }
  const { writer } = laneOfNewRing();
  const tooLong = recordOf('x'.repeat(writer.maxDocumentBytes + 1));
  assert.throws(() => writer.tryWrite(tooLong), RangeError);
});

test('positions wrap at 32 bits, at the change of sign and back to 0', () => {
  const traffic = { seed: 7, maxBytes: 1000 };
  for (const start of [2 ** 31 - LANE_BYTES, -LANE_BYTES]) {
    const { writer, reader, ring } = laneOfNewRing(start);
    for (let n = 0; n < 200; n += 1) {
      const record = trafficRecord(0, n, traffic);
      assert.notEqual(writer.tryWrite(record), undefined);
      const [read] = readAll(reader);
      assert.equal(read?.document.toString(), record.document.text);
    }
    const written = Atomics.load(laneViews(ring, 0).header, LANE_WORD.written);
    assert.equal(Math.sign(written), -Math.sign(start), 'the position passed the wrap');
  }
});

test('a full lane across the wrap of positions is still seen as full', () => {
  const { writer, reader } = laneOfNewRing(2 ** 31 - 2048);
  const record = recordOf('x'.repeat(480));
  let written = 0;
  while (writer.tryWrite(record) !== undefined) written += 1;
  assert.ok(written >= 7 && written <= 8, `${written}`);
  assert.equal(readAll(reader).length, written);
});

test('a reader that follows another reads again what was not settled', () => {
  const { ring, writer, reader } = laneOfNewRing();
  const ends = ['a', 'b', 'c'].map((text) => writer.tryWrite(recordOf(text)));
  reader.read();
  reader.read();
  reader.settle(ends[0] ?? 0);
  const successor = new LaneReader(ring, 0);
  assert.equal(successor.read()?.document.toString(), 'b');
  assert.equal(successor.read()?.document.toString(), 'c');
  assert.equal(successor.read(), undefined);
});

test('a writer that follows another goes on behind its last record', () => {
  const { ring, writer, reader } = laneOfNewRing();
  writer.tryWrite(recordOf('first'));
  new LaneWriter(ring, 0).tryWrite(recordOf('second'));
  assert.deepEqual(
    readAll(reader).map((record) => record.document.toString()),
    ['first', 'second'],
  );
});

test('what was written behind the last published record is not seen, and overwritten', () => {
  const { ring, writer, reader } = laneOfNewRing();
  writer.tryWrite(recordOf('published'));
  const { header, bytes } = laneViews(ring, 0);
  bytes.fill(0xff, Atomics.load(header, LANE_WORD.written));
  assert.equal(readAll(reader).length, 1);
  assert.equal(reader.read(), undefined);
  new LaneWriter(ring, 0).tryWrite(recordOf('next'));
  assert.equal(reader.read()?.document.toString(), 'next');
});

test('a damaged record is named and not read', () => {
  const { ring, writer, reader } = laneOfNewRing();
  writer.tryWrite(recordOf('x'));
  laneViews(ring, 0).words[0] = 0;
  assert.throws(() => reader.read(), /lane 0 is damaged at position 0/);
});

test('lanes do not touch each other', () => {
  const ring = createRing(3, LANE_BYTES);
  const writers = [0, 1, 2].map((lane) => new LaneWriter(ring, lane));
  const readers = [0, 1, 2].map((lane) => new LaneReader(ring, lane));
  for (let n = 0; n < 100; n += 1) {
    for (const writer of writers) {
      writer.tryWrite(recordOf(`${writer.lane}`.repeat(writer.maxDocumentBytes - writer.lane)));
    }
    for (const reader of readers) {
      for (const { document } of readAll(reader)) {
        assert.ok(document.every((byte) => byte === 48 + reader.lane));
      }
    }
  }
  assert.throws(() => new LaneReader(ring, 3), /lanes 0 to 2/);
});

test('a write waits for room and goes on when something is settled', async () => {
  const { writer, reader } = laneOfNewRing();
  const record = recordOf('x'.repeat(1500));
  while (writer.tryWrite(record) !== undefined);
  const waiting = writer.write(recordOf('late'.padEnd(1500)), NEVER_CANCELLED);
  setImmediate(() => readAll(reader));
  assert.notEqual(await waiting, undefined);
  assert.deepEqual(
    readAll(reader).map(({ document }) => document.toString().trim()),
    ['late'],
  );
});

test('a write that is cancelled while it waits writes nothing', async () => {
  const { writer, reader } = laneOfNewRing();
  const record = recordOf('x'.repeat(1500));
  let written = 0;
  while (writer.tryWrite(record) !== undefined) written += 1;
  let asked = 0;
  const position = await writer.write(record, () => {
    asked += 1;
    return asked === 3;
  });
  assert.equal(position, undefined);
  assert.equal(readAll(reader).length, written);
});

test('several writes that wait on one lane all come to pass', async () => {
  const { writer, reader } = laneOfNewRing();
  const writes = Array.from({ length: 20 }, (_, n) =>
    writer.write(recordOf(`${n}`.padEnd(1000)), NEVER_CANCELLED),
  );
  let done = false;
  const all = Promise.all(writes).finally(() => {
    done = true;
  });
  const seen = new Set<number>();
  while (!done || !reader.isSettled) {
    for (const { document } of readAll(reader)) seen.add(Number(document.toString()));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await all;
  assert.equal(seen.size, 20);
});

test('a sleep on the ring ends with a record, with one written after the mark, and with an interruption', async () => {
  const { ring, writer } = laneOfNewRing();
  const wake = new RingWake(ring);
  const mark = wake.mark();
  writer.tryWrite(recordOf('before the sleep'));
  await wake.sleep(mark);

  const later = wake.sleep(wake.mark());
  writer.tryWrite(recordOf('during the sleep'));
  await later;

  const interrupted = wake.sleep(wake.mark());
  wake.interrupt();
  await interrupted;
});

test('a lane has one owner at a time', () => {
  const ring = createRing(3, LANE_BYTES);
  assert.equal(claimLane(ring, 1, 11), 1);
  assert.equal(claimLane(ring, 1, 12), 2);
  assert.throws(() => claimLane(ring, 1, 13), /thread 13 found no free lane/);
  assert.deepEqual([laneOf(ring, 11), laneOf(ring, 12), laneOf(ring, 13)], [1, 2, undefined]);
  releaseLane(ring, 1);
  assert.equal(claimLane(ring, 0, 13), 0);
  assert.equal(claimLane(ring, 1, 14), 1);
});

test('a lane has a size that its positions can be cut by', () => {
  for (const laneBytes of [0, 1, 2048, 5000, 2 ** 31, Number.NaN]) {
    assert.throws(() => createRing(1, laneBytes), RangeError, String(laneBytes));
  }
});

function laneOfNewRing(position = 0) {
  const ring = createRing(1, LANE_BYTES);
  startLaneAt(ring, 0, position);
  return { ring, writer: new LaneWriter(ring, 0), reader: new LaneReader(ring, 0) };
}

function recordOf(text: string, namespace = 'ns'): OutgoingRecord {
  return { namespace, document: { text, bytes: Buffer.byteLength(text), points: 1 }, awaited: false };
}

/** Reads and settles everything; the documents are copies. */
function readAll(reader: LaneReader): RingRecord[] {
  const records: RingRecord[] = [];
  for (let record = reader.read(); record !== undefined; record = reader.read()) {
    records.push({ ...record, document: Buffer.from(record.document) });
    reader.settle(record.end);
  }
  return records;
}
