import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { LaneReader } from '../../src/shared/ring/lane-reader.js';
import { createRing } from '../../src/shared/ring/layout.js';
import { RingWake } from '../../src/shared/ring/wake.js';
import { type ProducerSetup, pseudoRandom, startLaneAt, trafficRecord } from '../support/ring-traffic.js';

const LANE_BYTES = 64 * 1024;
const MAX_BYTES = LANE_BYTES / 2 - 512;
const PRODUCER = new URL('../support/ring-producer.js', import.meta.url);

/** Any failure can be had again with the seed that it names. */
const SEED = Number(process.env.RING_SEED ?? Math.floor(Math.random() * 2 ** 31));

test('threads write millions of bytes at once, one reads it all, in order and unchanged', async (t) => {
  t.diagnostic(`RING_SEED=${SEED}`);
  const records = 700;
  const starts = [0, 2 ** 31 - LANE_BYTES, -LANE_BYTES];
  const ring = createRing(starts.length, LANE_BYTES);
  for (const [lane, position] of starts.entries()) startLaneAt(ring, lane, position);
  const consumer = new Consumer(ring, starts.length);
  for (const lane of starts.keys()) startProducer(t, { ring, lane, first: 0, end: records });
  await consumer.readUntil(() => consumer.next.every((n) => n === records));
  assert.ok(consumer.bytes > 3_000_000, `${consumer.bytes} bytes`);
  assert.ok(consumer.isSettled);
});

test('readers that follow each other see every record, those not settled again', async (t) => {
  t.diagnostic(`RING_SEED=${SEED}`);
  const records = 500;
  const ring = createRing(2, LANE_BYTES);
  for (const lane of [0, 1]) startProducer(t, { ring, lane, first: 0, end: records });
  const random = pseudoRandom(SEED + 1);
  const settled = [0, 0];
  let replaced = 0;
  while (settled.some((n) => n < records)) {
    const successor = new Consumer(ring, 2, settled);
    const lifetime = 1 + Math.floor(random() * 60);
    const until = settled.reduce((sum, n) => sum + n, 0) + lifetime;
    await successor.readUntil(() => {
      const seen = successor.next.reduce((sum, n) => sum + n, 0);
      return seen >= Math.min(until, 2 * records);
    });
    // Some of it settled, some of it lost with the reader.
    successor.settleSome(random);
    for (const lane of [0, 1]) settled[lane] = successor.settled[lane] ?? 0;
    if (successor.next.every((n) => n === records)) successor.settleAll();
    for (const lane of [0, 1]) settled[lane] = successor.settled[lane] ?? 0;
    replaced += 1;
  }
  assert.ok(replaced > 3, `${replaced} readers`);
});

test('a writer that is killed between writing and publishing leaves nothing behind, its successor goes on', async (t) => {
  const ring = createRing(1, LANE_BYTES);
  const consumer = new Consumer(ring, 1);
  startProducer(t, { ring, lane: 0, first: 0, end: 5 });
  await consumer.readUntil(() => consumer.next[0] === 5);

  const doomed = startProducer(t, { ring, lane: 0, first: 5, end: 6, hangsBeforePublishing: true });
  assert.deepEqual(await once(doomed, 'message'), ['unpublished']);
  await doomed.terminate();
  assert.equal(consumer.readOnce(), 0);

  startProducer(t, { ring, lane: 0, first: 5, end: 50 });
  await consumer.readUntil(() => consumer.next[0] === 50);
});

test('writers killed at any moment lose nothing that was published and damage nothing', async (t) => {
  t.diagnostic(`RING_SEED=${SEED}`);
  const ring = createRing(1, LANE_BYTES);
  const consumer = new Consumer(ring, 1);
  const random = pseudoRandom(SEED + 2);
  for (let life = 0; life < 8; life += 1) {
    const first = consumer.next[0] ?? 0;
    const doomed = startProducer(t, { ring, lane: 0, first, end: first + 1_000_000 });
    const enough = first + 1 + Math.floor(random() * 40);
    await consumer.readUntil(() => (consumer.next[0] ?? 0) >= enough);
    await doomed.terminate();
    consumer.readOnce();
  }
});

/** Reads all lanes of a ring in this thread and holds every record against what its producer must have written. */
class Consumer {
  /** Per lane the number of the next record. */
  readonly next: number[];
  /** Per lane the number behind the last settled record. */
  readonly settled: number[];
  bytes = 0;
  readonly #readers: LaneReader[];
  readonly #wake: RingWake;
  readonly #ends = new Map<string, number>();
  readonly #settlesAtOnce: boolean;

  constructor(ring: SharedArrayBuffer, lanes: number, settled?: readonly number[]) {
    this.#readers = Array.from({ length: lanes }, (_, lane) => new LaneReader(ring, lane));
    this.#wake = new RingWake(ring);
    this.settled = [...(settled ?? Array<number>(lanes).fill(0))];
    this.next = [...this.settled];
    this.#settlesAtOnce = settled === undefined;
  }

  get isSettled(): boolean {
    return this.#readers.every((reader) => reader.isSettled);
  }

  async readUntil(isEnough: () => boolean): Promise<void> {
    // Keeps this thread alive: a sleep on the ring does not.
    const alive = setInterval(() => {}, 60_000);
    try {
      for (;;) {
        const mark = this.#wake.mark();
        const count = this.readOnce();
        if (isEnough()) return;
        // A few unsettled records may fill the lane; when nothing more comes, the writer waits for their room.
        this.settleAllBut(count === 0 ? 0 : 5);
        if (count === 0) await this.#wake.sleep(mark);
        else await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      clearInterval(alive);
    }
  }

  /** Reads what is there now; the number of records. */
  readOnce(): number {
    let count = 0;
    for (const reader of this.#readers) {
      for (let record = reader.read(); record !== undefined; record = reader.read()) {
        const { lane, end } = record;
        const n = this.next[lane] ?? 0;
        const expected = trafficRecord(lane, n, { seed: SEED, maxBytes: MAX_BYTES });
        assert.equal(record.document.toString(), expected.document.text, `record ${n} of lane ${lane}`);
        assert.equal(record.namespace, expected.namespace);
        assert.equal(record.points, n);
        assert.equal(record.awaited, expected.awaited);
        this.bytes += record.document.length;
        this.next[lane] = n + 1;
        this.#ends.set(`${lane}:${n + 1}`, end);
        if (this.#settlesAtOnce) this.#settle(lane, n + 1);
        count += 1;
      }
    }
    return count;
  }

  settleAllBut(kept: number): void {
    for (const [lane, next] of this.next.entries()) {
      if (next - kept > (this.settled[lane] ?? 0)) this.#settle(lane, next - kept);
    }
  }

  settleSome(random: () => number): void {
    for (const [lane, next] of this.next.entries()) {
      const settled = this.settled[lane] ?? 0;
      const target = settled + Math.floor(random() * (next - settled + 1));
      if (target > settled) this.#settle(lane, target);
    }
  }

  settleAll(): void {
    this.settleAllBut(0);
  }

  #settle(lane: number, n: number): void {
    this.#readers[lane]?.settle(this.#ends.get(`${lane}:${n}`) ?? 0);
    this.settled[lane] = n;
  }
}

function startProducer(
  t: { after(release: () => Promise<unknown>): void },
  setup: Omit<ProducerSetup, 'seed' | 'maxBytes'>,
): Worker {
  const worker = new Worker(PRODUCER, { workerData: { ...setup, seed: SEED, maxBytes: MAX_BYTES } });
  t.after(() => worker.terminate());
  return worker;
}
