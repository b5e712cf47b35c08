import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PublisherSetup } from '../../src/shared/messages.js';
import type { SpoolSettings } from '../../src/shared/output-settings.js';
import { LaneWriter } from '../../src/shared/ring/lane-writer.js';
import { createRing } from '../../src/shared/ring/layout.js';
import { NoticeBoard } from '../../src/supervisor/delivery/notice-board.js';
import { PublisherThread } from '../../src/supervisor/delivery/publisher-thread.js';
import { NsqRecorder } from '../support/nsq-recorder.js';
import { nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { recordingLog } from '../support/recording-log.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const SHORT_LIVED = new URL('../support/short-lived-publisher.js', import.meta.url);
const DEATHS = 5;
const GIVE_UP_MS = 240_000;
const NAMESPACE = 'deaths.shop';

function setupOf(address: string, spool: SpoolSettings): PublisherSetup {
  return {
    ring: createRing(1, 1024 * 1024),
    outputs: [
      {
        alias: 'nsq',
        name: 'nsq',
        bufferSize: 500,
        servers: [address],
        lookupd: [],
        compression: 'none',
        topicPrefix: 'collect.',
        hostname: 'test',
        userAgent: 'test',
        responseTimeoutMs: 1000,
        maxMessageBytes: 1_000_000,
        tls: undefined,
        authSecret: undefined,
      },
    ],
    spool,
    logLevel: 'info',
  };
}

/** Numbered documents into the ring until `isOver`; full or not. */
async function writeUntil(
  ring: SharedArrayBuffer,
  isOver: () => boolean,
  onWritten: (number: number, end: number) => void,
): Promise<number> {
  const lane = new LaneWriter(ring, 0);
  let number = 0;
  while (!isOver()) {
    const text = JSON.stringify({ number: number + 1, filler: 'x'.repeat(200) });
    const document = { text, bytes: text.length, points: 1 };
    const end = lane.tryWrite({ namespace: NAMESPACE, document, awaited: true });
    if (end !== undefined) {
      number += 1;
      onWritten(number, end);
    }
    if (end === undefined || number % 50 === 0) await sleep(5);
  }
  return number;
}

/** So that now and then much is on its way, in memory and on disk. */
async function stallAgainAndAgain(proxy: TcpProxy, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    proxy.stall();
    await sleep(Math.random() * 500);
    proxy.release();
    if (Math.random() < 0.3) proxy.cut();
    await sleep(Math.random() * 500);
  }
}

async function hasNothingLeft(thread: PublisherThread): Promise<boolean> {
  const [output] = (await thread.status())?.outputs ?? [];
  return (
    output !== undefined && output.lagPoints === 0 && output.memoryPoints === 0 && output.diskRecords === 0
  );
}

async function surviveDeaths(t: TestContext, mode: SpoolSettings['mode']): Promise<void> {
  const folder = join(temporaryFolder(t), 'spool');
  writeFileSync(`${folder}.deadly`, '');
  const nsqd = await startNsqd(t);
  const times = new Map<number, number>();
  const take = (_topic: string, message: Buffer) => {
    const { number } = JSON.parse(message.toString());
    times.set(number, (times.get(number) ?? 0) + 1);
  };
  const proxy = await startTcpProxy(t, nsqd.tcpAddress, { tap: () => new NsqRecorder(take) });
  const setup = setupOf(proxy.address, { folder, mode, maxBytes: 2 ** 30, fsync: 'interval' });
  const board = new NoticeBoard();
  const { log, lines } = recordingLog();
  const thread = new PublisherThread({
    setup,
    log,
    acceptLine: ({ level, fields, message }) => log[level](fields, message),
    onNotices: (notices) => board.post(notices),
    workerFile: SHORT_LIVED,
  });
  t.after(() => thread.drain(0));
  const deaths = () => lines.filter(({ message }) => /its time has come/.test(message)).length;
  const isOver = () => deaths() >= DEATHS;
  const safe = new Set<number>();
  const stalls = stallAgainAndAgain(proxy, isOver);
  const written = await writeUntil(setup.ring, isOver, (number, end) => {
    void board.wait({ lane: 0, end }, GIVE_UP_MS).then(({ type }) => {
      if (type === 'safe') safe.add(number);
    });
  });
  rmSync(`${folder}.deadly`);
  await stalls;
  await waitUntil('all that was written is delivered', () => times.size === written, GIVE_UP_MS);
  // The last life may have begun with records whose acknowledgement the one before did not live to see.
  await waitUntil('the publisher has seen that', () => hasNothingLeft(thread), GIVE_UP_MS);
  const { undeliveredRecords, keptRecords } = await thread.drain(60_000);
  assert.deepEqual([undeliveredRecords, keptRecords], [0, 0]);
  board.close();
  const again = [...times.values()].reduce((sum, count) => sum + count - 1, 0);
  t.diagnostic(`${written} written, ${safe.size} said to be safe, ${deaths()} deaths, ${again} duplicates`);
  assert.deepEqual(
    lines.filter(({ message }) => /lost|damaged|set aside/.test(message)),
    [],
  );
}

for (const mode of ['overflow', 'always'] as const) {
  test(
    `in mode ${mode} a publisher that dies at any moment, in the middle of its work on disk, loses nothing`,
    {
      skip: nsqdSkipReason,
    },
    (t) => surviveDeaths(t, mode),
  );
}
