import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Notice, RecordName } from '../../src/shared/messages.js';
import type { OutputSettings } from '../../src/shared/output-settings.js';
import { LaneReader } from '../../src/shared/ring/lane-reader.js';
import { LaneWriter } from '../../src/shared/ring/lane-writer.js';
import { createRing, RING_WORD, ringHeader } from '../../src/shared/ring/layout.js';
import { DirectFeed } from '../../src/workers/publisher/feeds/direct-feed.js';
import { FileSink } from '../../src/workers/publisher/outputs/file-sink.js';
import { LineOutput } from '../../src/workers/publisher/outputs/line-output.js';
import type { Output } from '../../src/workers/publisher/outputs/output.js';
import { Publisher } from '../../src/workers/publisher/publisher.js';
import { HeldOutput } from '../support/held-output.js';
import { recordingLog } from '../support/recording-log.js';
import { pseudoRandom, startLaneAt } from '../support/ring-traffic.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

interface Started {
  readonly publisher: Publisher;
  readonly notices: Notice[];
  readonly lines: ReturnType<typeof recordingLog>['lines'];
  readonly ended: Promise<void>;
}

function startPublisher(
  ring: SharedArrayBuffer,
  output: Output,
  { bufferSize = 1000, patienceMs = 0 } = {},
): Started {
  const { log, lines } = recordingLog();
  const notices: Notice[] = [];
  const onNotices = (more: readonly Notice[]) => notices.push(...more);
  const settings: OutputSettings = { alias: 'test', name: 'stdout', bufferSize };
  const openFeeds = (onRoom: () => void) => [new DirectFeed({ settings, output, log, onRoom })];
  const publisher = new Publisher({ ring, openFeeds, onNotices, patienceMs });
  return { publisher, notices, lines, ended: publisher.run() };
}

function write(writer: LaneWriter, text: string, { points = 1, awaited = true } = {}): number {
  const document = { text, bytes: Buffer.byteLength(text), points };
  const end = writer.tryWrite({ namespace: 'shop.test', document, awaited });
  assert.notEqual(end, undefined, 'the lane has room');
  return end ?? 0;
}

async function stop({ publisher, ended }: Started): Promise<void> {
  await publisher.drain(0);
  await ended;
}

test('records of all lanes arrive at the output, in the order of their lane', async (t) => {
  const ring = createRing(2, 64 * 1024);
  const output = new HeldOutput();
  const started = startPublisher(ring, output);
  t.after(() => stop(started));
  const writers = [new LaneWriter(ring, 0), new LaneWriter(ring, 1)];
  for (const writer of writers) for (let n = 0; n < 100; n += 1) write(writer, `${writer.lane}-${n}`);
  await waitUntil('all records are there', () => output.held.length === 200);
  for (const { lane } of writers) {
    const texts = output.held
      .map(({ record }) => record.document.toString())
      .filter((text) => text.startsWith(`${lane}-`));
    assert.deepEqual(
      texts,
      Array.from({ length: 100 }, (_, n) => `${lane}-${n}`),
    );
  }
});

test('writers learn how long the publisher may be left asleep, and that it may not once a stop has begun', async () => {
  const ring = createRing(1, 4096);
  const patienceMs = () => Atomics.load(ringHeader(ring), RING_WORD.patienceMs);
  const output = new HeldOutput();
  const started = startPublisher(ring, output, { patienceMs: 20 });
  assert.equal(patienceMs(), 20);
  const draining = started.publisher.drain(60_000);
  write(new LaneWriter(ring, 0), 'late', { awaited: false });
  await waitUntil('the record is there', () => output.held.length === 1);
  assert.equal(patienceMs(), 0);
  output.settle();
  await draining;
  await started.ended;
});

test('space is freed in order although records are settled in any order', async (t) => {
  const ring = createRing(1, 4096);
  const output = new HeldOutput();
  const started = startPublisher(ring, output);
  t.after(() => stop(started));
  const writer = new LaneWriter(ring, 0);
  write(writer, 'first');
  write(writer, 'second');
  await waitUntil('both are there', () => output.held.length === 2);
  output.held[1]?.settle();
  assert.equal(
    new LaneReader(ring, 0).read()?.document.toString(),
    'first',
    'a successor begins with the first',
  );
  output.held[0]?.settle();
  assert.equal(new LaneReader(ring, 0).isSettled, true);
});

test('who waits for a record hears that it was delivered or why it was refused, once', async (t) => {
  const ring = createRing(1, 4096);
  const output = new HeldOutput();
  const started = startPublisher(ring, output);
  t.after(() => stop(started));
  const writer = new LaneWriter(ring, 0);
  const delivered = write(writer, 'good');
  const refused = write(writer, 'bad', { points: 7 });
  write(writer, 'nobody waits', { awaited: false });
  await waitUntil('all are there', () => output.held.length === 3);
  output.held[0]?.settle();
  output.held[1]?.settle('the topic is refused');
  output.held[2]?.settle();
  await waitUntil('the notices are there', () => started.notices.length === 2);
  assert.deepEqual(started.notices, [
    { lane: 0, end: delivered, loss: undefined },
    { lane: 0, end: refused, loss: { kind: 'refused', reason: 'the topic is refused' } },
  ]);
  assert.equal((await started.publisher.status()).outputs[0]?.setAsidePoints, 7);
  const line = started.lines.find(({ level }) => level === 'error');
  assert.match(line?.message ?? '', /7 points of shop\.test were refused and lost: the topic is refused/);
});

test('no more points are taken than the buffer size, and more as soon as some are settled', async (t) => {
  const ring = createRing(1, 64 * 1024);
  const output = new HeldOutput();
  const started = startPublisher(ring, output, { bufferSize: 10 });
  t.after(() => stop(started));
  const writer = new LaneWriter(ring, 0);
  for (let n = 0; n < 5; n += 1) write(writer, `record ${n}`, { points: 5 });
  await waitUntil('two are there', () => output.held.length === 2);
  assert.equal((await started.publisher.status()).outputs[0]?.memoryPoints, 10);
  output.held[0]?.settle();
  await waitUntil('the third is there', () => output.held.length === 3);
});

test('a publisher that takes over delivers again what its predecessor had not settled', async (t) => {
  const ring = createRing(1, 4096);
  const first = new HeldOutput();
  const predecessor = startPublisher(ring, first);
  const writer = new LaneWriter(ring, 0);
  write(writer, 'settled');
  write(writer, 'not settled');
  await waitUntil('both are there', () => first.held.length === 2);
  first.held[0]?.settle();
  const undelivered = await predecessor.publisher.drain(0);
  await predecessor.ended;
  assert.deepEqual(undelivered, {
    undeliveredRecords: 1,
    undeliveredPoints: 1,
    keptRecords: 0,
    keptPoints: 0,
  });
  const second = new HeldOutput();
  const successor = startPublisher(ring, second);
  t.after(() => stop(successor));
  await waitUntil('the second is there again', () => second.held.length === 1);
  assert.equal(second.held[0]?.record.document.toString(), 'not settled');
});

test('draining waits until everything is settled', async () => {
  const ring = createRing(1, 4096);
  const output = new HeldOutput();
  const { publisher, ended } = startPublisher(ring, output);
  write(new LaneWriter(ring, 0), 'last words');
  const drained = publisher.drain(30_000);
  await waitUntil('the record is there', () => output.held.length === 1);
  output.held[0]?.settle();
  assert.deepEqual(await drained, {
    undeliveredRecords: 0,
    undeliveredPoints: 0,
    keptRecords: 0,
    keptPoints: 0,
  });
  await ended;
});

function fileOutput(t: TestContext) {
  const folder = temporaryFolder(t);
  const path = join(folder, 'points.jsonl');
  const { log, lines } = recordingLog();
  return { folder, path, output: new LineOutput('file', new FileSink(path), log), lines };
}

test('the file output writes a document a line, into a new file after the old one was moved away', async (t) => {
  const ring = createRing(1, 4096);
  const { path, output } = fileOutput(t);
  const started = startPublisher(ring, output);
  t.after(() => stop(started));
  const writer = new LaneWriter(ring, 0);
  write(writer, '{"n":1}');
  write(writer, '{"n":"ü"}');
  await waitUntil('both are settled', () => started.notices.length === 2);
  assert.equal(readFileSync(path, 'utf8'), '{"n":1}\n{"n":"ü"}\n');
  renameSync(path, `${path}.1`);
  write(writer, '{"n":3}');
  await waitUntil('the third is settled', () => started.notices.length === 3);
  assert.equal(readFileSync(path, 'utf8'), '{"n":3}\n');
});

test('what the file output cannot write is kept, said once, and written when it can', async (t) => {
  const ring = createRing(1, 4096);
  const { path, output, lines } = fileOutput(t);
  mkdirSync(path);
  const started = startPublisher(ring, output);
  t.after(() => stop(started));
  write(new LaneWriter(ring, 0), '{"n":1}');
  await waitUntil('the trouble is said', () => lines.some(({ level }) => level === 'error'));
  assert.match((await started.publisher.status()).outputs[0]?.state ?? '', /cannot write to/);
  rmSync(path, { recursive: true });
  await waitUntil('it is settled', () => started.notices.length === 1);
  assert.equal(readFileSync(path, 'utf8'), '{"n":1}\n');
  assert.equal(lines.filter(({ level }) => level === 'error').length, 1);
});

test('a file whose last line was cut off gets no line glued to it', async (t) => {
  const ring = createRing(1, 4096);
  const { path, output } = fileOutput(t);
  writeFileSync(path, '{"n":1}\n{"n":');
  const started = startPublisher(ring, output);
  t.after(() => stop(started));
  write(new LaneWriter(ring, 0), '{"n":2}');
  await waitUntil('it is settled', () => started.notices.length === 1);
  assert.equal(readFileSync(path, 'utf8'), '{"n":1}\n{"n":\n{"n":2}\n');
});

test('a path of the file output that is no file is said, and is not waited for', async (t) => {
  const ring = createRing(1, 4096);
  const { path, output, lines } = fileOutput(t);
  execFileSync('mkfifo', [path]);
  const started = startPublisher(ring, output);
  write(new LaneWriter(ring, 0), '{"n":1}');
  await waitUntil('the trouble is said', () => lines.some(({ level }) => level === 'error'));
  assert.match(
    lines[0]?.message ?? '',
    /cannot write points to .*: it is not a regular file; name another path/,
  );
  assert.deepEqual(await started.publisher.drain(0), {
    undeliveredRecords: 1,
    undeliveredPoints: 1,
    keptRecords: 0,
    keptPoints: 0,
  });
});

test('lanes whose positions pass every limit of 32 bits are settled and free again, whatever the order', async (t) => {
  const seed = Number(process.env.RING_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`RING_SEED=${seed}`);
  const random = pseudoRandom(seed);
  const laneBytes = 4096;
  const starts = [2 ** 31 - laneBytes, -laneBytes];
  const ring = createRing(starts.length, laneBytes);
  for (const [lane, position] of starts.entries()) startLaneAt(ring, lane, position);
  const output = new HeldOutput();
  const started = startPublisher(ring, output, { bufferSize: 20 });
  t.after(() => stop(started));
  const written: RecordName[] = [];
  for (const lane of starts.keys()) {
    const writer = new LaneWriter(ring, lane);
    for (let n = 0; n < 100; ) {
      const text = `${lane}-${n}-${'x'.repeat(Math.floor(random() * 1000))}`;
      const end = writer.tryWrite({
        namespace: 'shop.test',
        document: { text, bytes: text.length, points: 1 + Math.floor(random() * 30) },
        awaited: true,
      });
      if (end !== undefined) {
        written.push({ lane, end });
        n += 1;
      }
      if (end !== undefined && random() < 0.5) continue;
      await waitUntil('a record is there', () => output.held.length > 0);
      output.held.splice(Math.floor(random() * output.held.length), 1)[0]?.settle();
    }
  }
  await waitUntil('all are settled', () => {
    for (const { settle } of output.held.splice(0)) settle();
    return started.notices.length === written.length;
  });
  const names = (records: readonly RecordName[]) => records.map(({ lane, end }) => `${lane} ${end}`).sort();
  assert.deepEqual(names(started.notices), names(written));
  for (const lane of starts.keys()) assert.equal(new LaneReader(ring, lane).isSettled, true);
  assert.equal((await started.publisher.status()).outputs[0]?.memoryPoints, 0);
});

/** A file system of a few pages, where this user may mount one. */
function tinyFileSystem(t: TestContext): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'agent-test-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    rmdirSync(folder);
    return undefined;
  }
  t.after(() => {
    execFileSync('umount', ['--lazy', folder]);
    rmdirSync(folder);
  });
  return folder;
}

test('a full disk loses nothing and leaves whole lines', async (t) => {
  const folder = tinyFileSystem(t);
  if (folder === undefined) {
    t.skip('a file system can be mounted by root only, and not in every container');
    return;
  }
  const ring = createRing(1, 256 * 1024);
  const path = join(folder, 'points.jsonl');
  const { log, lines } = recordingLog();
  const started = startPublisher(ring, new LineOutput('file', new FileSink(path), log));
  t.after(() => stop(started));
  const writer = new LaneWriter(ring, 0);
  const documents = Array.from({ length: 15 }, (_, n) => JSON.stringify({ n, filler: 'x'.repeat(10_000) }));
  for (const [n, document] of documents.entries()) {
    write(writer, document);
    if (n < 3) await waitUntil('it is settled', () => started.notices.length === n + 1);
  }
  await waitUntil('the trouble is said', () => lines.some(({ message }) => /ENOSPC/.test(message)));
  const linesOf = (text: string) => text.split('\n').filter((line) => line !== '');
  // Tried again and again meanwhile: what one try has written is there until it is cut off.
  const whenFull = await waitUntil('the last line is whole', () => {
    const text = readFileSync(path, 'utf8');
    return text.endsWith('\n') && text;
  });
  assert.deepEqual(linesOf(whenFull), documents.slice(0, linesOf(whenFull).length));
  execFileSync('mount', ['-o', 'remount,size=1m', folder]);
  await waitUntil('all are settled', () => started.notices.length === documents.length);
  assert.deepEqual(linesOf(readFileSync(path, 'utf8')), documents);
});
