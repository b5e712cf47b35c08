import { join } from 'node:path';
import type { CleanUp } from '../support/clean-up.js';
import { NsqRecorder } from '../support/nsq-recorder.js';
import { type Nsqd, startNsqd } from '../support/nsqd.js';
import { mountSmallDisk, type SmallDisk } from '../support/small-disk.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { Arrivals } from './arrivals.js';
import { MortalAgent } from './mortal-agent.js';
import { NumberLedger } from './number-ledger.js';
import type { Schedule } from './schedule.js';
import { STAMP_NAMESPACE, StampPlugins } from './stamp-plugins.js';
import { Turn } from './turn.js';

export const NAMESPACES = ['one.shop', 'two.shop', 'three.shop'];

const PLUGINS = 3;

/** Small enough to be filled within moments. */
const DISK_BYTES = 192 * 1024 * 1024;

/** More than any schedule comes to, so that nothing is dropped because of it. */
const SPOOL_MOST_BYTES = 4 * 1024 * 1024 * 1024;

export interface Broker {
  readonly nsqd: Nsqd;
  /** Between the agent and it. */
  readonly proxy: TcpProxy;
  /** Its messages are counted when it acknowledges them: it is killed, and loses some of those. */
  readonly mayLose: boolean;
  /** Whoever stops and starts it waits for their turn. */
  readonly turn: Turn;
}

/** Everything that takes part in a schedule. */
export interface Stage {
  readonly brokers: readonly Broker[];
  /** Holds the spool; undefined where none can be mounted. */
  readonly disk: SmallDisk | undefined;
  readonly spoolFolder: string;
  readonly agent: MortalAgent;
  readonly plugins: StampPlugins;
  readonly ledger: NumberLedger;
  /** What brokers acknowledged; agent and brokers may be killed at any time. */
  readonly acknowledged: Arrivals;
}

export async function setStage(cleanUp: CleanUp, schedule: Schedule): Promise<Stage> {
  const ledger = new NumberLedger(NAMESPACES);
  const acknowledged = new Arrivals(ledger);
  const brokers: Broker[] = [];
  for (const _ of schedule.brokers)
    brokers.push(await startBroker(cleanUp, acknowledged, schedule.killsBrokers));
  const disk = mountSmallDisk(cleanUp, DISK_BYTES);
  const folder = temporaryFolder(cleanUp);
  const plugins = new StampPlugins(folder, PLUGINS);
  const spoolFolder = join(disk?.folder ?? folder, 'spool');
  const options = {
    registry: plugins.registry,
    agent: 'gitprotocols = ["file"]',
    output: `servers = ["${brokers.map(({ proxy }) => proxy.address).join('", "')}"]
responsetimeout = 1
buffersize = ${schedule.bufferSize}`,
    spool: `mode = "${schedule.mode}"
dir = "${spoolFolder}"
maxbytes = ${SPOOL_MOST_BYTES}
fsync = "${schedule.fsync}"`,
  };
  const agent = await MortalAgent.start({ cleanUp, options, plugins, disk });
  return { brokers, disk, spoolFolder, agent, plugins, ledger, acknowledged };
}

/** Takes everything off the brokers; they must not have been killed. */
export async function consumeAll({ brokers, ledger }: Stage): Promise<Arrivals> {
  const arrivals = new Arrivals(ledger);
  for (const namespace of [...NAMESPACES, STAMP_NAMESPACE]) {
    const topic = `collect.${namespace}`;
    for (const { nsqd } of brokers) {
      for (const message of await nsqd.messages(topic)) arrivals.takeDocument(topic, message);
    }
  }
  return arrivals;
}

async function startBroker(cleanUp: CleanUp, acknowledged: Arrivals, mayLose: boolean): Promise<Broker> {
  const nsqd = await startNsqd(cleanUp);
  const tap = () => new NsqRecorder((topic, message) => acknowledged.takeDocument(topic, message));
  const proxy = await startTcpProxy(cleanUp, nsqd.tcpAddress, { tap });
  return { nsqd, proxy, mayLose, turn: new Turn() };
}
