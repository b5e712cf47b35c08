/**
 * A publisher worker as the real one, but for its output: it appends documents to the file of its settings, and the
 * thread dies over the document "poison" as long as the file `<path>.deadly` is there.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { forwardingLog } from '../../src/shared/log.js';
import type { FromPublisher, PublisherSetup, ToPublisher } from '../../src/shared/messages.js';
import { DirectFeed } from '../../src/workers/publisher/feeds/direct-feed.js';
import type { OutputFeed } from '../../src/workers/publisher/feeds/output-feed.js';
import { SpooledFeed } from '../../src/workers/publisher/feeds/spooled-feed.js';
import type { Output, OutputRecord, Settle } from '../../src/workers/publisher/outputs/output.js';
import { Publisher } from '../../src/workers/publisher/publisher.js';

const setup = workerData as PublisherSetup;
const [settings] = setup.outputs;
if (settings?.name !== 'file') throw new Error('this publisher writes to a file');
const { path } = settings;

class MortalOutput implements Output {
  deliver(record: OutputRecord, settle: Settle): void {
    const text = record.document.toString();
    if (text === 'poison' && existsSync(`${path}.deadly`)) {
      setImmediate(() => {
        throw new Error('the output came upon poison');
      });
      return;
    }
    appendFileSync(path, `${text}\n`);
    settle();
  }

  state() {
    return { state: 'mortal', isUp: true, lastError: undefined, retriedRecords: 0 };
  }

  async close(): Promise<void> {}
}

function openFeed(onRoom: () => void): OutputFeed {
  if (settings === undefined) throw new Error('there is no output');
  const options = { settings, output: new MortalOutput(), log, onRoom };
  const { spool } = setup;
  return spool ? new SpooledFeed({ ...options, spool, outputCount: 1 }) : new DirectFeed(options);
}

const send = (message: FromPublisher): void => parentPort?.postMessage(message);
const log = forwardingLog(setup.logLevel, send);
const publisher = new Publisher({
  ring: setup.ring,
  openFeeds: (onRoom) => [openFeed(onRoom)],
  onNotices: (notices) => send({ type: 'notices', notices }),
});
parentPort?.on('message', (message: ToPublisher) => {
  if (message.type === 'status')
    return void publisher.status().then((status) => send({ type: 'status', status }));
  return void publisher.drain(message.withinMs).then((outcome) => send({ type: 'drained', ...outcome }));
});
await publisher.run();
