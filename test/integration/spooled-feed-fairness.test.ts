import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SpooledFeed } from '../../src/workers/publisher/feeds/spooled-feed.js';
import { HeldOutput } from '../support/held-output.js';
import { recordingLog } from '../support/recording-log.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const MIB = 2 ** 20;
const DOCUMENT_BYTES = 64 * 1024;
/** What is dropped is summed up for so long, from one line to the next. */
const SAY_EVERY_MS = 10_000;

interface Options {
  readonly folder: string;
  readonly mode?: 'overflow' | 'always';
  readonly maxBytes?: number;
}

function open(t: TestContext, { folder, mode = 'overflow', maxBytes = 64 * MIB }: Options) {
  const output = new HeldOutput();
  const { log, lines } = recordingLog();
  const feed = new SpooledFeed({
    settings: { alias: 'held', name: 'stdout', bufferSize: 100 },
    output,
    spool: { folder, mode, maxBytes, fsync: 'interval' },
    outputCount: 1,
    log,
    onRoom: () => undefined,
  });
  let secured = 0;
  const take = (name: string, namespace = 'shop.test', bytes = DOCUMENT_BYTES) => {
    const document = Buffer.alloc(bytes, ' ');
    document.write(name);
    feed.take({ namespace, points: 1, document }, () => {
      secured += 1;
    });
  };
  const settleNext = (): { name: string; bytes: number } | undefined => {
    const [next] = output.held;
    if (!next) return undefined;
    const bytes = next.record.document.length;
    const name = next.record.document.toString('latin1', 0, 40).trim();
    output.settle(1);
    return { name, bytes };
  };
  t.after(() => feed.close(0));
  return { feed, output, lines, take, settleNext, secured: () => secured };
}

/** Leaves `count` documents of 64 KiB on disk. */
async function leaveBacklog(t: TestContext, folder: string, count: number): Promise<void> {
  const { feed, take, secured } = open(t, { folder, mode: 'always' });
  for (let n = 0; n < count; n += 1) {
    take(`old ${n}`);
    if (n % 50 === 0) await waitUntil('they are on disk', () => secured() === n + 1);
  }
  assert.equal((await feed.close(0)).keptRecords, count);
}

for (const mode of ['overflow', 'always'] as const) {
  test(`mode ${mode}: beside a large backlog a new record waits behind a few MiB at most, and the backlog goes on in order`, async (t) => {
    const folder = temporaryFolder(t);
    await leaveBacklog(t, folder, 400);
    const { output, take, settleNext, feed, secured } = open(t, { folder, mode });
    await waitUntil('the backlog has begun', () => output.held.length >= 8);
    const old: string[] = [];
    const settleOld = () => {
      const settled = settleNext();
      if (settled) old.push(settled.name);
    };
    // In mode `always` it is for the disk to say how long a record takes until it is one of those that go out. An output
    // that settles nothing meanwhile would count as away.
    const takeFresh = async (name: string) => {
      const before = secured();
      settleOld();
      take(name);
      if (mode === 'always')
        await waitUntil('it is on disk', () => {
          if (secured() > before) return true;
          settleOld();
          return false;
        });
    };
    let fresh = 0;
    let bytesSinceTaken = 0;
    await takeFresh('fresh 0');
    while (old.length < 400) {
      const settled = settleNext();
      if (!settled) {
        await nextTurn();
        continue;
      }
      bytesSinceTaken += settled.bytes;
      if (settled.name === `fresh ${fresh}`) {
        assert.ok(bytesSinceTaken <= 4 * MIB, `${bytesSinceTaken} bytes came before it`);
        fresh += 1;
        bytesSinceTaken = 0;
        await takeFresh(`fresh ${fresh}`);
      } else {
        old.push(settled.name);
      }
      // The disk gets its turn, as it does beside a real output.
      await nextTurn();
    }
    assert.deepEqual(
      old,
      Array.from({ length: 400 }, (_, n) => `old ${n}`),
    );
    assert.ok(fresh >= 8, `${fresh} fresh ones came beside`);
    output.settle();
    await waitUntil('all is delivered', () => {
      output.settle();
      return feed.status().lagPoints === 0;
    });
  });
}

test('a backlog is delivered beside new records that never cease', async (t) => {
  const folder = temporaryFolder(t);
  await leaveBacklog(t, folder, 200);
  const { take, settleNext, feed } = open(t, { folder });
  let old = 0;
  let fresh = 0;
  while (old < 200) {
    // Memory is kept full of new ones all the time.
    while (feed.status().memoryPoints < 90) take(`fresh ${fresh++}`, 'shop.test', 1000);
    if (settleNext()?.name.startsWith('old')) old += 1;
    await nextTurn();
    assert.ok(fresh < 100_000, `${old} of the backlog came beside ${fresh} new ones`);
  }
});

test('a stop waits for what comes from disk, so that it does not come again', async (t) => {
  const folder = temporaryFolder(t);
  await leaveBacklog(t, folder, 20);
  const { feed, output } = open(t, { folder });
  await waitUntil('all are on the way', () => output.held.length === 20);
  const closed = feed.close(30_000);
  output.settle();
  assert.deepEqual(await closed, { keptRecords: 0, keptPoints: 0 });
});

test('what the disk dropped while memory had it counts as behind, and as dropped when the output never takes it', async (t) => {
  const folder = temporaryFolder(t);
  const { feed, take, secured } = open(t, { folder, maxBytes: 2 * MIB });
  for (let n = 0; n < 5; n += 1) take(`old ${n}`);
  await waitUntil('they are on disk, too', () => secured() === 5);
  for (let n = 0; n < 60; n += 1) {
    take(`new ${n}`);
    await waitUntil('it is on disk', () => secured() === 6 + n);
  }
  const { lagPoints, droppedPoints } = feed.status();
  assert.equal(lagPoints + droppedPoints.full, 65);
  const { keptPoints } = await feed.close(0);
  assert.equal(keptPoints + feed.status().droppedPoints.full, 65);
});

test('what is dropped is logged by namespace, also between two lines', async (t) => {
  const folder = temporaryFolder(t);
  const { feed, take, secured, lines } = open(t, { folder, maxBytes: 2 * MIB });
  const beganAtMs = performance.now();
  for (let n = 0; n < 200; n += 1) {
    take(`${n}`, `shop.${n % 4}`);
    await waitUntil('it is on disk', () => secured() === n + 1);
  }
  await feed.close(0);
  const text = lines.map(({ message }) => message).join('\n');
  for (const namespace of ['shop.0', 'shop.1', 'shop.2', 'shop.3'])
    assert.match(text, new RegExp(`of ${namespace}`));
  const said = [...text.matchAll(/(\d+) (?:more )?points? .*dropped/g)].reduce(
    (sum, [, points]) => sum + Number(points),
    0,
  );
  assert.equal(said, feed.status().droppedPoints.full);
  const periods = Math.floor((performance.now() - beganAtMs) / SAY_EVERY_MS);
  assert.ok(lines.filter(({ message }) => /dropped/.test(message)).length <= 3 + periods);
});
