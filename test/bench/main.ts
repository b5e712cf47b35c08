/**
 * `make bench`: measures a whole agent with a real nsqd, prints a table and writes every figure to a file.
 *
 * Arguments, if any, are the parts to measure instead of all; their figures are added to the file. A part that fails is
 * said, the others are measured all the same, and the exit status is 1.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RegistryItem } from '../support/agent-process.js';
import { makeRepository } from '../support/git-repository.js';
import { startNsqd } from '../support/nsqd.js';
import { waitUntil } from '../support/wait-until.js';
import { BenchAgent } from './bench-agent.js';
import { benchBacklog, benchOutage, benchSpoolModes } from './delivery.js';
import { benchEngine, benchManyRuns } from './engine.js';
import { addFigures, note, say, writeFigures } from './figures.js';
import { benchGoOutputs } from './go-output.js';
import { benchHost } from './host.js';
import { benchLateness } from './lateness.js';
import { runLoad } from './load.js';
import { metricsBody } from './metrics-body.js';
import type { LoadResult } from './post-load.js';
import { cpuSeconds, residentMiB } from './process-usage.js';
import { benchRunBounds } from './run-bounds.js';
import { benchRunRate } from './run-rate.js';
import { benchTelegraf } from './telegraf.js';

const LOAD_SECONDS = Number(process.env.BENCH_SECONDS ?? 5);
const BACKLOG_MIB = Number(process.env.BENCH_BACKLOG_MIB ?? 1024);
const GO_SECONDS = Number(process.env.BENCH_GO_SECONDS ?? 2);
const HOST_SECONDS = Number(process.env.BENCH_HOST_SECONDS ?? 40);
const OUTAGE_POINTS_A_SECOND = Number(process.env.BENCH_OUTAGE_RATE ?? 5000);
const ENGINE_RUNS = Number(process.env.BENCH_ENGINE_RUNS ?? 500);
const MANY_RUNS = Number(process.env.BENCH_MANY_RUNS ?? 100_000);
const TELEGRAF_RATES = (process.env.BENCH_TELEGRAF_RATES ?? '700,1500').split(',').map(Number);
const LATENESS_PLUGINS = (process.env.BENCH_LATENESS_PLUGINS ?? '500,5000').split(',').map(Number);
const LATENESS_SECONDS = Number(process.env.BENCH_LATENESS_SECONDS ?? 10);

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  start: withNsqd(benchStart),
  idle: withNsqd(benchIdle),
  posts: withNsqd(benchPosts),
  runs: withNsqd((nsqd) => benchRunRate(nsqd, LOAD_SECONDS)),
  plugins: withNsqd(benchThousandPlugins),
  engine: () => benchEngine(ENGINE_RUNS),
  'many-runs': () => benchManyRuns(MANY_RUNS),
  telegraf: withNsqd((nsqd) => benchTelegraf(nsqd, TELEGRAF_RATES, LOAD_SECONDS)),
  bounds: benchRunBounds,
  lateness: withNsqd((nsqd) => benchLateness(nsqd, LATENESS_PLUGINS, [10, 60], LATENESS_SECONDS)),
  spool: () => benchSpoolModes(LOAD_SECONDS),
  backlog: () => benchBacklog(BACKLOG_MIB),
  outage: () => benchOutage(OUTAGE_POINTS_A_SECOND),
  'go-outputs': () => benchGoOutputs(GO_SECONDS),
  host: () => benchHost(HOST_SECONDS),
};

const folder = mkdtempSync(join(tmpdir(), 'agent-bench-plugins-'));
chmodSync(folder, 0o755);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => PARTS[name] === undefined);
if (unknown.length > 0) {
  say(`there is no part ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);
  process.exitCode = 2;
} else {
  for (const [name, measure] of Object.entries(PARTS)) {
    if (wanted.length === 0 || wanted.includes(name)) await measurePart(name, measure);
  }
  if (wanted.length === 0) writeFigures();
  else addFigures();
}
rmSync(folder, { recursive: true, force: true });

async function measurePart(name: string, measure: () => Promise<void>): Promise<void> {
  try {
    await measure();
  } catch (error) {
    say(`the part ${name} failed: ${error instanceof Error ? error.stack : error}`);
    process.exitCode = 1;
  }
}

/** Gives a measurement an nsqd of its own. */
function withNsqd(measure: (nsqd: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const afterwards: (() => unknown)[] = [];
    try {
      const nsqd = await startNsqd({ after: (release: () => unknown) => void afterwards.push(release) });
      await measure(nsqd.tcpAddress);
    } finally {
      for (const release of afterwards.reverse()) await release();
    }
  };
}

/** From the start of the process to the first points document in the output. */
async function benchStart(nsqd: string): Promise<void> {
  say('start to first point');
  const address = await makeRepository(join(folder, 'first'), { plugin: shellPlugin() });
  const startedAt = performance.now();
  const agent = await BenchAgent.start(nsqd, [item('first', address, 1)]);
  note('start to answering HTTP', performance.now() - startedAt, 'ms');
  await waitUntil('the first points are delivered', async () => (await deliveredPoints(agent)) > 0);
  note(
    'start to first point of a plugin with interval 1 s (its phase included)',
    performance.now() - startedAt,
    'ms',
  );
  await agent.stop();
}

async function benchPosts(nsqd: string): Promise<void> {
  const agent = await BenchAgent.start(nsqd, []);
  for (const metrics of [1, 1000]) {
    for (const connections of [1, 4, 64]) {
      say(`posts of ${metrics} metrics over ${connections} connections`);
      await load(agent, connections, metrics, 1);
      const result = await load(agent, connections, metrics, LOAD_SECONDS);
      const name = `/post of ${metrics} over ${connections} connections`;
      note(`${name}: points acknowledged by nsqd`, (result.posts * metrics) / result.seconds, 'points/s');
      note(`${name}: answer time, median`, result.medianMs, 'ms');
      note(`${name}: answer time, p99`, result.p99Ms, 'ms');
      if (result.refused > 0) note(`${name}: refused`, result.refused, 'posts');
    }
  }
  note('resident memory after the posts', residentMiB(agent.pid), 'MiB');
  say('posts of 20,000 metrics one after another');
  await agent.eventLoopDelay();
  await load(agent, 1, 20_000, LOAD_SECONDS);
  note(
    'event-loop delay of the supervisor under posts of 20,000, p99',
    (await agent.eventLoopDelay()).p99,
    'ms',
  );
  note('body of such a post', metricsBody(20_000).length / 2 ** 20, 'MiB');
  await agent.stop();
}

async function benchThousandPlugins(nsqd: string): Promise<void> {
  say('1,000 plugins at 10 s');
  const agent = await BenchAgent.start(nsqd, await copies('thousand', shellPlugin(), 1000, 10));
  await allInstalled(agent, 1000);
  await agent.eventLoopDelay();
  const before = { runs: await endedRuns(agent), cpu: cpuSeconds(agent.pid) };
  await sleep(20_000);
  const runs = (await endedRuns(agent)) - before.runs;
  note('runs in 20 s with 1,000 plugins at 10 s', runs, 'runs');
  note(
    'CPU of the agent and its plugins meanwhile',
    ((cpuSeconds(agent.pid) - before.cpu) / 20) * 100,
    '% of a core',
  );
  note(
    'event-loop delay of the supervisor with 1,000 plugins, p99',
    (await agent.eventLoopDelay()).p99,
    'ms',
  );
  note('resident memory with 1,000 plugins', residentMiB(agent.pid), 'MiB');
  await agent.stop();
}

async function benchIdle(nsqd: string): Promise<void> {
  say('idle without plugins');
  const agent = await BenchAgent.start(nsqd, [], { isWatched: false });
  await sleep(10_000);
  const before = cpuSeconds(agent.pid);
  await sleep(30_000);
  note('idle without plugins: CPU', ((cpuSeconds(agent.pid) - before) / 30) * 100, '% of a core');
  note('idle without plugins: resident memory', residentMiB(agent.pid), 'MiB');
  await agent.stop();
}

async function load(
  agent: BenchAgent,
  connections: number,
  metrics: number,
  seconds: number,
): Promise<LoadResult> {
  return runLoad({ port: agent.port, connections, metrics, seconds });
}

async function allInstalled(agent: BenchAgent, count: number): Promise<void> {
  for (;;) {
    const { plugins } = (await agent.call('/plugins/list')) as { plugins: { state: string }[] };
    const ready = plugins.filter(({ state }) => state === 'ready').length;
    if (ready === count) return;
    say(`${ready} of ${count} plugins are fetched`);
    await sleep(2000);
  }
}

async function endedRuns(agent: BenchAgent): Promise<number> {
  const { runs } = (await agent.call('/me/status')) as { runs: { ok: number; failed: number } };
  return runs.ok + runs.failed;
}

async function deliveredPoints(agent: BenchAgent): Promise<number> {
  const { outputs } = (await agent.call('/me/status')) as { outputs: { deliveredPoints: number }[] };
  return outputs[0]?.deliveredPoints ?? 0;
}

/** Many plugins of one repository, by links of other names. */
async function copies(
  name: string,
  plugin: string | Buffer,
  count: number,
  interval: number,
): Promise<RegistryItem[]> {
  const address = await makeRepository(join(folder, name), { plugin });
  const links = join(folder, `${name}-links`);
  mkdirSync(links);
  return Array.from({ length: count }, (_, index) => {
    const project = `${name}-${index}`;
    symlinkSync(address.replace(/^file:\/\//, ''), join(links, project));
    return item(project, `file://${join(links, project)}`, interval);
  });
}

function item(name: string, git: string, interval: number): RegistryItem {
  return { measurement_type: 'PLUGIN', name: `PLUGIN.${name}`, git, interval: String(interval) };
}

function shellPlugin(): string {
  return '#!/bin/sh\necho \'[{"name":"up","value":1}]\'\n';
}
