import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SpoolSettings } from '../../src/shared/output-settings.js';
import type { OutputStatus } from '../../src/shared/output-status.js';
import { SpooledFeed } from '../../src/workers/publisher/feeds/spooled-feed.js';
import { CleanUp } from '../support/clean-up.js';
import { HeldOutput } from '../support/held-output.js';
import { recordingLog } from '../support/recording-log.js';
import { slowDisk } from '../support/slow-disk.js';
import { mountSmallDisk, type SmallDisk } from '../support/small-disk.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const SEED = Number(process.env.FEED_SEED ?? Math.floor(Math.random() * 1_000_000));
const STEPS = 1000;
const MIB = 2 ** 20;

for (const mode of ['overflow', 'always'] as const) {
  for (const outputCount of [1, 2]) {
    test(`mode ${mode}, ${outputCount} outputs: ${STEPS} random steps lose nothing uncounted (FEED_SEED=${SEED})`, async (t) => {
      const run = new RandomRun(t, { mode, outputCount, folder: temporaryFolder(t), disk: undefined });
      await run.steps(STEPS);
      await run.finish();
      assert.deepEqual(run.duplicates, []);
    });

    test(`mode ${mode}, ${outputCount} outputs: the same on a disk that is full at times (FEED_SEED=${SEED})`, async (t) => {
      const cleanUp = new CleanUp();
      t.after(() => cleanUp.run());
      const disk = mountSmallDisk(cleanUp, 24 * MIB);
      if (!disk) return t.skip('only root can mount a small disk, where mounts are allowed');
      const run = new RandomRun(cleanUp, { mode, outputCount, folder: disk.folder, disk });
      await run.steps(STEPS);
      await run.finish();
    });
  }

  test(`mode ${mode}: ${STEPS} random steps on a disk of changing speed (FEED_SEED=${SEED})`, async (t) => {
    const random = randomNumbers(SEED);
    slowDisk(t, (below) => Math.floor(random() * below));
    const run = new RandomRun(t, { mode, outputCount: 1, folder: temporaryFolder(t), disk: undefined });
    await run.steps(STEPS);
    await run.finish();
    assert.deepEqual(run.duplicates, []);
  });
}

interface RunOptions {
  readonly mode: SpoolSettings['mode'];
  readonly outputCount: number;
  readonly folder: string;
  readonly disk: SmallDisk | undefined;
}

/** A record as the test knows it. */
interface Known {
  readonly number: number;
  readonly points: number;
  readonly bytes: number;
  /** Times that it was secured, by the feeds that were given it: one each at most. */
  secured: number;
  /** What the output or the feed said of it in the end. */
  delivered: number;
  refused: number;
  lost: number;
}

/** Feeds that follow one another on one folder, and what became of every record that they were given. */
class RandomRun {
  readonly #options: RunOptions;
  readonly #random: () => number;
  readonly #known: Known[] = [];
  /** What the ring would still have: taken and not secured, or not taken yet. */
  readonly #ring = new Map<number, Known>();
  #output = new HeldOutput();
  #feed: SpooledFeed;
  #isClosed = false;
  #generation = 0;
  #rooms = 0;
  #fullSince: number | undefined;
  #diskPointsAtOpen = 0;
  #droppedBefore = 0;
  #isStalled = false;
  readonly #lines = recordingLog();

  constructor(t: Pick<TestContext, 'after'>, options: RunOptions) {
    this.#options = options;
    this.#random = randomNumbers(SEED);
    this.#feed = this.#open();
    t.after(() => this.#feed.close(0));
  }

  get duplicates(): Known[] {
    return this.#known.filter(({ delivered, refused }) => delivered + refused > 1);
  }

  async steps(count: number): Promise<void> {
    for (let step = 0; step < count; step += 1) {
      const dice = this.#random();
      if (dice < 0.45) this.#take(1 + this.#below(8));
      else if (dice < 0.8) this.#settle();
      else if (dice < 0.83) this.#isStalled = !this.#isStalled;
      else if (dice < 0.85) this.#fillOrFree();
      else if (dice < 0.855) await this.#reopen();
      else if (dice < 0.86) await sleep(1100);
      else await sleep(this.#below(4));
      this.#checkRoom();
    }
  }

  /** All is delivered in the end, and every record is accounted for. */
  async finish(): Promise<void> {
    this.#options.disk?.free();
    await this.#reopen();
    for (const known of [...this.#ring.values()]) {
      await waitUntil('there is room', () => {
        this.#settleSome(0, this.#output.held.length, undefined);
        return !this.#feed.isFull;
      });
      this.#give(known);
    }
    await waitUntil('nothing is behind', () => {
      this.#settleSome(0, this.#output.held.length, undefined);
      return this.#feed.status().lagPoints === 0 && this.#feed.status().diskRecords === 0;
    });
    await this.#close();
    assert.equal(this.#ring.size, 0);
    const missing = this.#known.filter(({ delivered, refused, lost }) => delivered + refused + lost === 0);
    const missingPoints = missing.reduce((sum, { points }) => sum + points, 0);
    const lostPoints = this.#known.reduce((sum, { lost, points }) => sum + (lost > 0 ? points : 0), 0);
    const counted = this.#droppedBefore;
    if (this.#options.disk) {
      // What is delivered cannot be noted on a full disk, and may be dropped after it was delivered.
      assert.ok(missingPoints + lostPoints <= counted, `${missingPoints} + ${lostPoints} > ${counted}`);
    } else {
      assert.equal(missingPoints + lostPoints, counted);
    }
    assert.ok(this.#known.every(({ secured }) => secured <= 1));
  }

  #open(): SpooledFeed {
    const { mode, outputCount, folder } = this.#options;
    this.#output = new HeldOutput();
    this.#isClosed = false;
    this.#generation += 1;
    this.#fullSince = undefined;
    return new SpooledFeed({
      settings: { alias: 'held', name: 'stdout', bufferSize: 20_000 },
      output: this.#output,
      spool: { folder, mode, maxBytes: outputCount * 16 * MIB, fsync: 'interval' },
      outputCount,
      log: this.#lines.log,
      onRoom: () => {
        this.#rooms += 1;
      },
    });
  }

  #take(count: number): void {
    for (let n = 0; n < count && !this.#feed.isFull; n += 1) {
      const isLarge = this.#random() < 0.05;
      const known: Known = {
        number: this.#known.length,
        points: this.#random() < 0.1 ? 5000 : this.#below(300),
        bytes: isLarge ? this.#below(MIB) : this.#below(20_000),
        secured: 0,
        delivered: 0,
        refused: 0,
        lost: 0,
      };
      this.#known.push(known);
      this.#ring.set(known.number, known);
      this.#give(known);
    }
  }

  #give(known: Known): void {
    const text = `${known.number} `;
    const document = Buffer.alloc(Math.max(known.bytes, text.length), 'x');
    document.write(text);
    const generation = this.#generation;
    this.#feed.take({ namespace: `shop.${known.number % 3}`, points: known.points, document }, (loss) => {
      assert.equal(generation, this.#generation, 'nothing is secured after the end');
      assert.ok(!this.#isClosed, 'nothing is secured after the end');
      known.secured += 1;
      this.#ring.delete(known.number);
      if (loss?.kind === 'no-room') known.lost += 1;
      document.fill(0);
    });
  }

  #settle(): void {
    if (this.#isStalled) return;
    const refusal = this.#random() < 0.03 ? 'it does not please' : undefined;
    const count = Math.min(1 + this.#below(12), this.#output.held.length);
    const from = this.#random() < 0.2 ? this.#below(this.#output.held.length) : 0;
    this.#settleSome(from, count, refusal);
  }

  #settleSome(from: number, count: number, refusal: string | undefined): void {
    for (const { record, settle } of this.#output.held.splice(from, count)) {
      const known = this.#knownOf(record.document, record.points);
      if (refusal === undefined) known.delivered += 1;
      else known.refused += 1;
      settle(refusal);
    }
  }

  #knownOf(document: Buffer, points: number): Known {
    const known = this.#known[Number.parseInt(document.toString('latin1', 0, 20), 10)];
    assert.ok(known, 'the document is one that was given');
    assert.equal(points, known.points);
    assert.ok(document.subarray(`${known.number} `.length).every((byte) => byte === 0x78));
    return known;
  }

  #fillOrFree(): void {
    const { disk } = this.#options;
    if (this.#random() < 0.5) disk?.fill(this.#below(2) * 64 * 1024);
    else disk?.free();
  }

  /** Who was told that it is full is told when it is no more. */
  #checkRoom(): void {
    if (this.#feed.isFull) this.#fullSince ??= this.#rooms;
    else if (this.#fullSince !== undefined) {
      assert.ok(this.#rooms > this.#fullSince, 'room was announced');
      this.#fullSince = undefined;
    }
  }

  async #reopen(): Promise<void> {
    await waitUntil('the counts add up', () => sumUp(this.#feed.status()) === this.#diskPointsAtOpen).catch(
      (thrown) => {
        const difference = sumUp(this.#feed.status()) - this.#diskPointsAtOpen;
        throw new Error(`${difference} points too many: ${JSON.stringify(this.#feed.status())}`, {
          cause: thrown,
        });
      },
    );
    await this.#close();
    this.#isStalled = false;
    this.#feed = this.#open();
    await this.#feed.ready;
    this.#diskPointsAtOpen = this.#feed.status().diskPoints + dropped(this.#feed.status());
    for (const known of [...this.#ring.values()]) if (!this.#feed.isFull) this.#give(known);
  }

  async #close(): Promise<void> {
    const { output } = { output: this.#output };
    const closing = this.#feed.close(this.#below(2) * 300);
    const { keptPoints } = await closing;
    this.#isClosed = true;
    this.#droppedBefore += dropped(this.#feed.status());
    assert.equal(keptPoints, this.#feed.status().diskPoints);
    output.held.length = 0;
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }
}

function dropped({ droppedPoints }: OutputStatus): number {
  return Object.values(droppedPoints).reduce((sum, points) => sum + points, 0);
}

/** What the output has got rid of, or has still to, less what it was given: that was on disk when it began. */
function sumUp(status: OutputStatus): number {
  const { acceptedPoints, deliveredPoints, setAsidePoints, lagPoints } = status;
  return deliveredPoints + setAsidePoints + dropped(status) + lagPoints - acceptedPoints;
}

/** Numbers from 0 to below 1 that follow from the seed. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
