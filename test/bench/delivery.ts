/** Benchmarks of what the spool costs, and of what happens while a broker is away and when it is back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Nsqd, startNsqd } from '../support/nsqd.js';
import { BenchAgent } from './bench-agent.js';
import { note, say } from './figures.js';
import { runLoad } from './load.js';
import { residentMiB } from './process-usage.js';
import { quantile } from './quantile.js';

const MIB = 2 ** 20;
/** Of a backlog, what is left of it. */
const LAST_BYTES = 500_000_000;
const ROUNDS = 3;

/** The modes of the spool, side by side: they take turns, the median of their rounds counts. */
export async function benchSpoolModes(seconds: number): Promise<void> {
  const modes = ['off', 'overflow', 'always'] as const;
  const loads = [
    { metrics: 1, connections: 64 },
    { metrics: 1000, connections: 4 },
  ];
  const rates = new Map<string, number[]>();
  await withNsqd(async (nsqd) => {
    const agents = new Map<string, BenchAgent>();
    for (const mode of modes) {
      agents.set(mode, await BenchAgent.start(nsqd.tcpAddress, [], { spool: `mode = "${mode}"` }));
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const load of loads) {
        for (const [mode, agent] of agents) {
          say(`spool "${mode}", posts of ${load.metrics}, round ${round + 1} of ${ROUNDS}`);
          if (round === 0) await runLoad({ ...load, port: agent.port, seconds: 1 });
          const result = await runLoad({ ...load, port: agent.port, seconds });
          const key = `${load.metrics} ${mode}`;
          const rate = (result.posts * load.metrics) / result.seconds;
          rates.set(key, [...(rates.get(key) ?? []), rate]);
        }
      }
    }
    for (const agent of agents.values()) await agent.stop();
  });
  for (const { metrics, connections } of loads) {
    const median = (mode: string) => quantile(rates.get(`${metrics} ${mode}`) ?? [], 0.5);
    const name = `posts of ${metrics} over ${connections} connections`;
    for (const mode of modes) note(`${name}, spool "${mode}"`, median(mode), 'points/s');
    note(`${name}, spool "always" against none`, (median('always') / median('off')) * 100, '%');
  }
}

/** A backlog that is delivered while new points come: how long it takes, in how much memory, and how late they are. */
export async function benchBacklog(mebibytes: number): Promise<void> {
  await withNsqd(async (nsqd) => {
    await nsqd.createChannel('collect.bench.live');
    const agent = await BenchAgent.start(nsqd.tcpAddress, [], { spool: 'maxbytes = 4000000000' });
    await nsqd.stop();
    while ((await onDisk(agent)).diskBytes < mebibytes * MIB) {
      say(`${Math.round((await onDisk(agent)).diskBytes / MIB)} of ${mebibytes} MiB are on disk`);
      await runLoad({ port: agent.port, connections: 16, metrics: 5000, seconds: 2 });
    }
    const { diskPoints } = await onDisk(agent);
    note(`backlog of ${mebibytes} MiB`, diskPoints, 'points');
    note('resident memory before it is delivered', residentMiB(agent.pid), 'MiB');
    await nsqd.start();
    const consumer = await nsqd.consume('collect.bench.live');
    while ((await onDisk(agent)).diskPoints === diskPoints) await sleep(10);
    const startedAt = performance.now();
    const probe = new LiveProbe(agent, () => consumer.received.length);
    const delaysMs: number[] = [];
    const lastDelaysMs: number[] = [];
    let peak = 0;
    for (let left = await onDisk(agent); left.diskPoints > 0; left = await onDisk(agent)) {
      const delayMs = await probe.delayMs();
      delaysMs.push(delayMs);
      if (left.diskBytes <= LAST_BYTES) lastDelaysMs.push(delayMs);
      peak = Math.max(peak, residentMiB(agent.pid));
    }
    const seconds = (performance.now() - startedAt) / 1000;
    note(`time to deliver it while new points come`, seconds, 's');
    note('rate meanwhile', mebibytes / seconds, 'MiB/s');
    note('resident memory meanwhile, most', peak, 'MiB');
    note('a point posted meanwhile is at a consumer after, median', quantile(delaysMs, 0.5), 'ms');
    note('a point posted meanwhile is at a consumer after, most', quantile(delaysMs, 1), 'ms');
    const last = 'a point posted while the last 500 MB drain is at a consumer after';
    note(`${last}, median`, quantile(lastDelaysMs, 0.5), 'ms');
    note(`${last}, most`, quantile(lastDelaysMs, 1), 'ms');
    await consumer.stop();
    await agent.stop();
  });
}

/** An hour of load without a broker, at once: as many points as an hour brings at a rate, as fast as they go. */
export async function benchOutage(pointsASecond: number): Promise<void> {
  const points = pointsASecond * 3600;
  await withNsqd(async (nsqd) => {
    const agent = await BenchAgent.start(nsqd.tcpAddress, []);
    await runLoad({ port: agent.port, connections: 16, metrics: 1000, seconds: 2 });
    const before = residentMiB(agent.pid);
    await nsqd.kill();
    let sent = 0;
    let peak = 0;
    while (sent < points) {
      const watch = setInterval(() => {
        peak = Math.max(peak, residentMiB(agent.pid));
      }, 100);
      const { posts } = await runLoad({ port: agent.port, connections: 16, metrics: 1000, seconds: 5 });
      clearInterval(watch);
      sent += posts * 1000;
      say(`without a broker: ${sent} of ${points} points`);
    }
    note(`points without a broker, an hour of ${pointsASecond} points/s`, sent, 'points');
    note('resident memory before', before, 'MiB');
    note('resident memory meanwhile, most', peak, 'MiB');
    note('on disk then', (await onDisk(agent)).diskBytes / MIB, 'MiB');
    await agent.stop();
  });
}

/** Posts single points to a namespace of their own, and takes the time until the consumer has them. */
class LiveProbe {
  readonly #agent: BenchAgent;
  readonly #received: () => number;

  constructor(agent: BenchAgent, received: () => number) {
    this.#agent = agent;
    this.#received = received;
  }

  async delayMs(): Promise<number> {
    const before = this.#received();
    const postedAt = performance.now();
    await this.#agent.post('bench.live', '[{"name":"live","value":1}]');
    while (this.#received() === before) await sleep(2);
    const delayMs = performance.now() - postedAt;
    await sleep(50);
    return delayMs;
  }
}

async function onDisk(agent: BenchAgent): Promise<{ diskBytes: number; diskPoints: number }> {
  const { outputs } = (await agent.call('/me/status')) as {
    outputs: { diskBytes: number; diskPoints: number }[];
  };
  return outputs[0] ?? { diskBytes: 0, diskPoints: 0 };
}

async function withNsqd(measure: (nsqd: Nsqd) => Promise<void>): Promise<void> {
  const afterwards: (() => unknown)[] = [];
  try {
    await measure(await startNsqd({ after: (release: () => unknown) => void afterwards.push(release) }));
  } finally {
    for (const release of afterwards.reverse()) await release();
  }
}
