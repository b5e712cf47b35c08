import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { DrainOutcome } from '../../src/shared/messages.js';
import type { SpoolSettings } from '../../src/shared/output-settings.js';
import { LaneWriter } from '../../src/shared/ring/lane-writer.js';
import { createRing } from '../../src/shared/ring/layout.js';
import { NoticeBoard } from '../../src/supervisor/delivery/notice-board.js';
import { PublisherThread } from '../../src/supervisor/delivery/publisher-thread.js';
import { recordingLog } from '../support/recording-log.js';
import { startLaneAt } from '../support/ring-traffic.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const MORTAL_WORKER = new URL('../support/mortal-publisher.js', import.meta.url);

/** A publisher thread that dies over "poison" till it is cured, with a lane and a board of its own. */
function startMortal(t: TestContext, position = 0, mode?: SpoolSettings['mode']) {
  const path = join(temporaryFolder(t), 'points');
  writeFileSync(`${path}.deadly`, '');
  const ring = createRing(2, 64 * 1024);
  startLaneAt(ring, 0, position);
  const board = new NoticeBoard();
  const { log, lines } = recordingLog();
  const thread = new PublisherThread({
    setup: {
      ring,
      outputs: [{ alias: 'file', name: 'file', path, bufferSize: 1000 }],
      spool: mode && { folder: `${path}.spool`, mode, maxBytes: 16 * 2 ** 20, fsync: 'interval' },
      logLevel: 'info',
    },
    log,
    acceptLine: ({ level, fields, message }) => log[level](fields, message),
    onNotices: (notices) => board.post(notices),
    workerFile: MORTAL_WORKER,
  });
  const lane = new LaneWriter(ring, 0);
  return {
    thread,
    board,
    lines,
    cure: () => rmSync(`${path}.deadly`),
    delivered: () => (existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []),
    write: (text: string, points = 1) => {
      const document = { text, bytes: Buffer.byteLength(text), points };
      const end = lane.tryWrite({ namespace: 'shop.test', document, awaited: true });
      assert.ok(end !== undefined, 'the lane has room');
      return { lane: 0, end };
    },
  };
}

test('a publisher that dies again and again loses nothing: its successors deliver, and who waits is told', async (t) => {
  const { thread, board, lines, cure, delivered, write } = startMortal(t, 2 ** 31 - 128);
  t.after(() => thread.drain(0));
  const before = Array.from({ length: 20 }, (_, n) => write(`before ${n}`));
  const waiting = [
    ...before,
    write('poison'),
    ...Array.from({ length: 20 }, (_, n) => write(`after ${n}`)),
  ].map((record) => board.wait(record, 30_000));
  const failures = () => lines.filter(({ message }) => /failed: the output came upon poison/.test(message));
  await waitUntil('it died twice', () => failures().length >= 2);
  assert.ok(lines.some(({ message }) => /is started again in \d+ ms/.test(message)));
  cure();
  await waitUntil('all is delivered', () => new Set(delivered()).size === 41);
  const verdicts = await Promise.all(waiting.slice(20));
  assert.ok(verdicts.every(({ type }) => type === 'safe'));
  assert.deepEqual(await thread.drain(10_000), leftBehind(0, 0));
});

for (const mode of ['overflow', 'always'] as const) {
  test(`a publisher with a spool in mode ${mode} that dies again and again loses nothing`, async (t) => {
    const { thread, board, lines, cure, delivered, write } = startMortal(t, 0, mode);
    t.after(() => thread.drain(0));
    const texts = Array.from({ length: 60 }, (_, n) => (n === 30 ? 'poison' : `document ${n}`));
    const verdicts = Promise.all(texts.map((text) => board.wait(write(text), 30_000)));
    const failures = () => lines.filter(({ message }) => /failed: the output came upon poison/.test(message));
    await waitUntil('it died three times', () => failures().length >= 3);
    cure();
    await waitUntil('all is delivered', () => new Set(delivered()).size === texts.length);
    assert.ok((await verdicts).every(({ type }) => type === 'safe'));
    assert.deepEqual(await thread.drain(5000), leftBehind(0, 0));
    assert.doesNotMatch(lines.map(({ message }) => message).join(), /in use by|lost|damaged/);
  });
}

test('the status is known again when a publisher was asked for it in vain', async (t) => {
  const { thread, lines, cure, write } = startMortal(t);
  t.after(() => thread.drain(0));
  write('poison');
  await waitUntil('it died', () => lines.some(({ message }) => /is started again/.test(message)));
  const inVain = thread.status();
  await waitUntil(
    'it died again',
    () => lines.filter(({ message }) => /started again/.test(message)).length > 2,
  );
  cure();
  await inVain;
  const status = await waitUntil('it answers', () => thread.status());
  assert.equal(status.outputs[0]?.state, 'mortal');
});

test('a stop while the publisher is down starts it once more, and says what is left should that fail too', async (t) => {
  const first = startMortal(t);
  first.write('poison', 3);
  first.write('more', 4);
  await waitUntil('it died', () => first.lines.some(({ message }) => /is started again/.test(message)));
  assert.deepEqual(await first.thread.drain(1000), leftBehind(2, 7));

  const second = startMortal(t);
  second.write('poison', 3);
  await waitUntil('it died', () => second.lines.some(({ message }) => /is started again/.test(message)));
  second.cure();
  assert.deepEqual(await second.thread.drain(10_000), leftBehind(0, 0));
  assert.deepEqual(second.delivered(), ['poison']);
});

/** What a drain says that delivered all but this much, without a spool. */
function leftBehind(undeliveredRecords: number, undeliveredPoints: number): DrainOutcome {
  return { undeliveredRecords, undeliveredPoints, keptRecords: 0, keptPoints: 0 };
}
