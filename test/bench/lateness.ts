/** How late runs begin when a whole agent has many plugins: from when each was due to the start of its process. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentProcess } from '../support/agent-process.js';
import { note, say } from './figures.js';
import { layOutPlugins, registryOf } from './laid-out-plugins.js';
import { cpuSeconds, residentMiB } from './process-usage.js';
import { quantile } from './quantile.js';

/** Runs of the first seconds are those of a start. */
const WARM_UP_SECONDS = 5;
/** What the measurement before has left in line may take so long; a line that never ends is what is measured. */
const DRAIN_SECONDS = 20;
const SCRIPT = '#!/bin/sh\necho \'[{"name":"up","value":1}]\'\n';

interface Listed {
  readonly interval: number | string;
  readonly skipped: number;
  readonly lastRun?: { readonly endedAt: string; readonly latenessMs?: number | undefined } | undefined;
}

/**
 * Measures each number of plugins at each interval, one after the other in one agent: the same plugins, another interval.
 * @param seconds of each measurement; with a longer interval than that, it sees a part of the plugins
 */
export async function benchLateness(
  nsqd: string,
  counts: readonly number[],
  intervals: readonly number[],
  seconds: number,
): Promise<void> {
  for (const count of counts) {
    const folder = mkdtempSync(join(tmpdir(), 'agent-bench-lateness-'));
    chmodSync(folder, 0o755);
    const afterwards: (() => unknown)[] = [];
    try {
      layOutPlugins(folder, count, SCRIPT);
      const [first = 10, ...others] = intervals;
      const agent = await AgentProcess.start(
        { after: (release: () => unknown) => void afterwards.push(release) },
        {
          folder,
          registry: registryOf(count, first),
          output: `servers = ["${nsqd}"]`,
          environment: { AGENT_LOG_LOGLEVEL: 'ERROR' },
        },
      );
      await measure(agent, count, first, seconds);
      for (const interval of others) {
        agent.changeRegistry(registryOf(count, interval));
        await measure(agent, count, interval, seconds);
      }
      await agent.kill('SIGTERM');
    } finally {
      for (const release of afterwards.reverse()) await release();
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

async function measure(agent: AgentProcess, count: number, interval: number, seconds: number): Promise<void> {
  while ((await listed(agent)).filter((plugin) => plugin.interval === interval).length < count) {
    say(`waiting for ${count} plugins at ${interval} s`);
    await sleep(500);
  }
  await sleep(WARM_UP_SECONDS * 1000);
  const patience = Date.now() + DRAIN_SECONDS * 1000;
  while ((await agent.call('/me/status')).body.runs.waiting > 0 && Date.now() < patience) await sleep(500);
  const before = { at: Date.now(), cpu: cpuSeconds(agent.pid), skipped: skippedOf(await listed(agent)) };
  say(`${count} plugins at ${interval} s, for ${seconds} s`);
  await sleep(seconds * 1000);
  const busy = (cpuSeconds(agent.pid) - before.cpu) / ((Date.now() - before.at) / 1000);
  const plugins = await listed(agent);
  const late = plugins.flatMap(({ lastRun }) =>
    lastRun !== undefined && Date.parse(lastRun.endedAt) > before.at ? (lastRun.latenessMs ?? []) : [],
  );
  const name = `${count} plugins at ${interval} s`;
  note(`${name}: lateness of their last runs, median`, quantile(late, 0.5), 'ms');
  note(`${name}: lateness of their last runs, p99`, quantile(late, 0.99), 'ms');
  note(`${name}: lateness of their last runs, most`, Math.max(0, ...late), 'ms');
  note(`${name}: plugins that ran meanwhile`, late.length, 'plugins');
  note(`${name}: runs left out meanwhile`, skippedOf(plugins) - before.skipped, 'runs');
  note(`${name}: CPU of the agent and its plugins`, busy * 100, '% of a core');
  note(`${name}: resident memory of the agent`, residentMiB(agent.pid), 'MiB');
}

async function listed(agent: AgentProcess): Promise<readonly Listed[]> {
  return (await agent.call('/plugins/list')).body.plugins;
}

function skippedOf(plugins: readonly Listed[]): number {
  return plugins.reduce((sum, { skipped }) => sum + skipped, 0);
}
