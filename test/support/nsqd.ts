import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { lastingPort } from './lasting-port.js';
import { consumeTopic, type TopicConsumer } from './nsq-consumer.js';
import { endProgram, launchNsqProgram, missingReason, type NsqProgram } from './nsq-program.js';
import { waitUntil } from './wait-until.js';

/**
 * For the `skip` option of tests that need nsqd: the reason when it was not built (`test/nsqd/build`), else false.
 * Under CI=true always false, so that those tests fail there.
 */
export const nsqdSkipReason: string | false = skipReason();

export interface NsqdOptions {
  /** Further arguments, for example `['--max-msg-size=1000']`. */
  readonly arguments?: readonly string[];
  /** True: every message is synced to disk before it is acknowledged, so that `kill()` loses none. Slow. */
  readonly durable?: boolean;
}

/** A real nsqd on the loopback interface. It is ended, and its data removed, after the test. */
export interface Nsqd {
  /** `127.0.0.1:port`; the same after a restart. */
  readonly tcpAddress: string;
  readonly httpAddress: string;
  readonly pid: number;
  /** Ends it as an operator does: it keeps its messages on disk. */
  stop(): Promise<void>;
  /** SIGKILL: it loses what it held in memory, unless it is `durable`. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT: connections are accepted by the kernel, nothing is answered. */
  pause(): Promise<void>;
  resume(): void;
  /** Starts it again on the same ports and data. Only after `stop` or `kill`. */
  start(): Promise<void>;
  /** Takes all messages of a topic that are there now; they are gone from nsqd then. */
  messages(topic: string): Promise<readonly Buffer[]>;
  /** What nsqd says of a topic; undefined when it knows none of this name. */
  topicStats(topic: string): Promise<TopicStats | undefined>;
  /** Makes the channel that `messages` and `consume` use, so that messages are counted there from the start. */
  createChannel(topic: string): Promise<void>;
  /** Takes messages of a topic as they come, till `stop()`. */
  consume(topic: string): Promise<TopicConsumer>;
}

/**
 * Starts nsqd on free ports and waits until it listens.
 */
export async function startNsqd(test: Pick<TestContext, 'after'>, options: NsqdOptions = {}): Promise<Nsqd> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'agent-test-nsqd-'));
  const launched: NsqProgram[] = [];
  test.after(async () => {
    for (const { process: child } of launched) await endProgram(child, 'SIGKILL');
    rmSync(dataFolder, { recursive: true, force: true });
  });
  const [tcpPort, httpPort] = [await lastingPort(), await lastingPort()];
  let running = await launch(dataFolder, `127.0.0.1:${tcpPort}`, `127.0.0.1:${httpPort}`, options);
  launched.push(running);
  const { tcpAddress, httpAddress } = running;
  return {
    tcpAddress,
    httpAddress,
    get pid() {
      return pidOf(running.process);
    },
    stop: () => endProgram(running.process, 'SIGTERM'),
    kill: () => endProgram(running.process, 'SIGKILL'),
    pause: () => pause(running.process),
    resume: () => void running.process.kill('SIGCONT'),
    start: async () => {
      running = await launch(dataFolder, tcpAddress, httpAddress, options);
      launched.push(running);
    },
    messages: (topic) => takeAll(tcpAddress, httpAddress, topic),
    topicStats: (topic) => readTopic(httpAddress, topic),
    createChannel: (topic) => createChannel(httpAddress, topic),
    consume: (topic) => consumeTopic(tcpAddress, topic, CHANNEL),
  };
}

const CHANNEL = 'test';

function launch(
  dataFolder: string,
  tcpAddress: string,
  httpAddress: string,
  options: NsqdOptions,
): Promise<NsqProgram> {
  return launchNsqProgram('nsqd', [
    `--tcp-address=${tcpAddress}`,
    `--http-address=${httpAddress}`,
    // Otherwise a fixed port on all interfaces as soon as TLS is set up.
    '--https-address=127.0.0.1:0',
    '--broadcast-address=127.0.0.1',
    `--data-path=${dataFolder}`,
    ...(options.durable === true ? ['--mem-queue-size=0', '--sync-every=1'] : []),
    ...(options.arguments ?? []),
  ]);
}

/** The signal reaches the threads one by one: only when all are stopped nothing is answered any more. */
async function pause(child: ChildProcess): Promise<void> {
  child.kill('SIGSTOP');
  const threads = `/proc/${pidOf(child)}/task`;
  await waitUntil('every thread of nsqd is stopped', () =>
    readdirSync(threads).every((thread) =>
      /\) T /.test(readFileSync(join(threads, thread, 'stat'), 'latin1')),
    ),
  );
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('nsqd was not started');
  return child.pid;
}

async function takeAll(tcpAddress: string, httpAddress: string, topic: string): Promise<readonly Buffer[]> {
  if ((await readTopic(httpAddress, topic)) === undefined) return [];
  const consumer = await consumeTopic(tcpAddress, topic, CHANNEL);
  let quiet = 0;
  await waitUntil(`all messages of topic ${topic} are taken`, async () => {
    quiet = isEmpty(await readTopic(httpAddress, topic)) ? quiet + 1 : 0;
    // Between topic and channel a message is in neither's count for a moment: looks several times.
    return quiet === 10;
  });
  await consumer.stop();
  return consumer.received;
}

/** As nsqd's `/stats` has it. */
export interface TopicStats {
  readonly topic_name: string;
  readonly depth: number;
  readonly message_count: number;
  readonly channels: readonly {
    readonly depth: number;
    readonly in_flight_count: number;
    readonly deferred_count: number;
  }[];
}

async function createChannel(httpAddress: string, topic: string): Promise<void> {
  const name = encodeURIComponent(topic);
  await fetch(`http://${httpAddress}/topic/create?topic=${name}`, { method: 'POST' });
  await fetch(`http://${httpAddress}/channel/create?topic=${name}&channel=${CHANNEL}`, { method: 'POST' });
}

async function readTopic(httpAddress: string, name: string): Promise<TopicStats | undefined> {
  const response = await fetch(`http://${httpAddress}/stats?format=json&topic=${encodeURIComponent(name)}`);
  const stats = (await response.json()) as { readonly topics: readonly TopicStats[] | null };
  return stats.topics?.find((topic) => topic.topic_name === name);
}

function isEmpty(topic: TopicStats | undefined): boolean {
  return (
    topic !== undefined &&
    topic.depth === 0 &&
    topic.channels.length > 0 &&
    topic.channels.every(
      (channel) => channel.depth === 0 && channel.in_flight_count === 0 && channel.deferred_count === 0,
    )
  );
}

function skipReason(): string | false {
  return process.env.CI === 'true' ? false : missingReason();
}
