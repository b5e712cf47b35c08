/** The publisher worker's entry: connects the publisher to the supervisor's messages. */
import { parentPort, workerData } from 'node:worker_threads';
import { forwardingLog } from '../../shared/log.js';
import type { FromPublisher, PublisherSetup, ToPublisher } from '../../shared/messages.js';
import { openFeed } from './open-feed.js';
import { OutputHosts } from './outputs/go/output-hosts.js';
import { Publisher } from './publisher.js';

if (!parentPort) throw new Error('the publisher runs as a worker thread');

const supervisor = parentPort;
const setup = workerData as PublisherSetup;
const send = (message: FromPublisher): void => supervisor.postMessage(message);
const log = forwardingLog(setup.logLevel, send);
const hosts = new OutputHosts(log);

/**
 * How long records that nobody waits for may lie in the ring, in milliseconds: the longer, the more go out together, at
 * a fraction of the cost each. What is only there does not survive the process; where the spool is to have everything
 * first, that is why it is short.
 */
const PATIENCE_MS = { usual: 50, always: 5 };

const publisher = new Publisher({
  ring: setup.ring,
  patienceMs: setup.spool?.mode === 'always' ? PATIENCE_MS.always : PATIENCE_MS.usual,
  openFeeds: (onRoom) => setup.outputs.map((settings) => openFeed({ settings, setup, hosts, log, onRoom })),
  onNotices: (notices) => send({ type: 'notices', notices }),
});

supervisor.on('message', (message: ToPublisher) => {
  if (message.type === 'status')
    return void publisher.status().then((status) => send({ type: 'status', status }));
  return void publisher.drain(message.withinMs).then((outcome) => send({ type: 'drained', ...outcome }));
});

await publisher.run();
