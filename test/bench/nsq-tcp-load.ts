/** Publishes as it is told by the process that forked it, reports what it measured, and ends. */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { NsqProducer } from '../../src/shared/nsq-tcp/producer.js';
import { quantile } from './quantile.js';

export interface LoadOrder {
  /** `nsqjs`, or `nsq-tcp` with the name of a compression behind it or none. */
  readonly client: string;
  readonly address: string;
  /** Each publishes a message, waits for the answer, and publishes the next. */
  readonly publishers: number;
  readonly messageBytes: number;
  readonly seconds: number;
  readonly nsqjsFolder: string;
}

export interface LoadFigures {
  readonly publishes: number;
  readonly seconds: number;
  /** Of this process, all its threads. */
  readonly cpuSeconds: number;
  /** From the publish to nsqd's answer. */
  readonly medianMs: number;
  readonly p99Ms: number;
}

interface Publisher {
  publish(message: Buffer): Promise<void>;
  close(): unknown;
}

/** Ephemeral: nsqd keeps nothing of it on disk, so what is measured is the way to it. */
const TOPIC = 'bench#ephemeral';
const WARM_UP_SECONDS = 0.5;
/** The first so many publishes are timed: the memory for more would be a load of its own. */
const MAX_TIMED = 200_000;

const [order] = (await once(process, 'message')) as [LoadOrder];
const publisher = await open(order);
const message = pointsLike(order.messageBytes);
await publishFor(WARM_UP_SECONDS);
process.send?.(await publishFor(order.seconds));
await publisher.close();
process.disconnect();

async function publishFor(seconds: number): Promise<LoadFigures> {
  const times: number[] = [];
  let publishes = 0;
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1000;
  const one = async (): Promise<void> => {
    for (;;) {
      const sentAt = performance.now();
      if (sentAt > endAt) return;
      await publisher.publish(message);
      if (times.length < MAX_TIMED) times.push(performance.now() - sentAt);
      publishes++;
    }
  };
  await Promise.all(Array.from({ length: order.publishers }, one));
  const cpu = process.cpuUsage(cpuBefore);
  return {
    publishes,
    seconds: (performance.now() - startedAt) / 1000,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    medianMs: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
  };
}

async function open({ client, address, nsqjsFolder }: LoadOrder): Promise<Publisher> {
  if (client === 'nsqjs') return openNsqjs(address, nsqjsFolder);
  const [, compression] = client.split(' ');
  const producer = new NsqProducer({
    servers: [address],
    compression: compression === 'deflate' || compression === 'snappy' ? compression : 'none',
  });
  return { publish: (bytes) => producer.publish(TOPIC, bytes), close: () => producer.close() };
}

/** The part of nsqjs that is used here. */
interface NsqjsWriter {
  once(event: 'ready' | 'error' | 'closed', listener: (error?: Error) => void): void;
  connect(): void;
  close(): void;
  publish(topic: string, message: Buffer, callback: (error?: Error | null) => void): void;
}

async function openNsqjs(address: string, folder: string): Promise<Publisher> {
  const load = createRequire(join(folder, 'package.json'));
  const { Writer } = load('nsqjs') as { Writer: new (host: string, port: number) => NsqjsWriter };
  const [host = '', port] = address.split(':');
  const writer = new Writer(host, Number(port));
  await new Promise<void>((resolve, reject) => {
    writer.once('ready', () => resolve());
    writer.once('error', reject);
    writer.connect();
  });
  return {
    publish: (bytes) =>
      new Promise((resolve, reject) => {
        writer.publish(TOPIC, bytes, (error) => (error ? reject(error) : resolve()));
      }),
    close: () => writer.close(),
  };
}

/** Text like that of a points document, which compression finds something in. */
function pointsLike(bytes: number): Buffer {
  let text = '';
  for (let at = 0; text.length < bytes; at++) {
    text += `{"measurement":"PLUGIN.disk.used","timestamp":${1_700_000_000 + at},"tags":{"host":"host-${at % 7}"},"fields":{"value":${(at * 7919) % 100_003}}},`;
  }
  return Buffer.from(text.slice(0, bytes));
}
