/** A whole agent beside Telegraf's `inputs.exec` and the limit, the same plugins at the same rates, in one go. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentProcess } from '../support/agent-process.js';
import { endProgram } from '../support/nsq-program.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { waitUntil } from '../support/wait-until.js';
import { endedRuns } from './ended-runs.js';
import { note, say } from './figures.js';
import { layOutPlugins, registryOf } from './laid-out-plugins.js';
import { buildLeastPlugin, buildSpawnLimit } from './least-plugin.js';
import { cpuSeconds, residentMiB } from './process-usage.js';
import { quantile } from './quantile.js';

/** Till what Node.js compiles is compiled. */
const WARM_UP_MS = 8000;
const LIMIT_RUNS = 1500;
const LIMIT_ROUNDS = 3;
const AT_ONCE = '16';

/** A program that runs plugins, and what tells how many runs have ended. */
interface Contestant {
  readonly pid: number;
  endedRuns(): Promise<number>;
}

/**
 * Offers each rate to both: so many plugins, each due every second.
 * @param seconds of each measurement
 */
export async function benchTelegraf(nsqd: string, rates: readonly number[], seconds: number): Promise<void> {
  await withFolder(async (folder) => {
    const plugin = buildLeastPlugin(folder);
    const limit = buildSpawnLimit(folder);
    const telegraf = buildTelegraf();
    for (const rate of rates) {
      const measureThis = async (name: string, start: Start) => {
        const limitsBefore = limitsMs(limit, plugin);
        const title = `at ${rate} runs/s: ${name}`;
        let runMs = Number.NaN;
        await start(async (contestant) => {
          runMs = await measure(title, contestant, seconds);
        });
        const limitMs = quantile([...limitsBefore, ...limitsMs(limit, plugin)], 0.5);
        note(`${title}, CPU of a run at the limit (C) right before and after`, limitMs, 'ms');
        note(`${title}, CPU of a run, in that of the limit`, runMs / limitMs, '×');
      };
      await measureThis('the agent', (work) => withAgent(nsqd, plugin, rate, work));
      if (telegraf === undefined) continue;
      await measureThis('Telegraf', (work) => withTelegraf(telegraf, plugin, rate, work));
    }
  });
}

/** Has a contestant run while something is done. */
type Start = (work: (contestant: Contestant) => Promise<void>) => Promise<void>;

/** Returns the CPU that a run took, the plugin's included, in ms. */
async function measure(name: string, contestant: Contestant, seconds: number): Promise<number> {
  await waitUntil('some have run', async () => (await contestant.endedRuns()) > 0);
  await sleep(WARM_UP_MS);
  say(name);
  const { pid } = contestant;
  const before = { runs: await contestant.endedRuns(), cpu: cpuSeconds(pid), at: performance.now() };
  await sleep(seconds * 1000);
  const runs = (await contestant.endedRuns()) - before.runs;
  const cpuMs = (cpuSeconds(pid) - before.cpu) * 1000;
  note(name, (runs * 1000) / (performance.now() - before.at), 'runs/s');
  note(`${name}, CPU of a run, the plugin's included`, cpuMs / runs, 'ms');
  note(`${name}, resident memory`, residentMiB(pid), 'MiB');
  return cpuMs / runs;
}

/** Of some rounds: what a run takes at the limit, now, as a machine's speed may change within minutes. */
function limitsMs(limit: string, plugin: string): readonly number[] {
  return Array.from({ length: LIMIT_ROUNDS }, () => {
    const printed = execFileSync(limit, [plugin, String(LIMIT_RUNS), AT_ONCE], { encoding: 'utf8' });
    return ((JSON.parse(printed) as { cpuSeconds: number }).cpuSeconds * 1000) / LIMIT_RUNS;
  });
}

async function withAgent(
  nsqd: string,
  plugin: string,
  count: number,
  work: (contestant: Contestant) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const afterwards: (() => unknown)[] = [];
    layOutPlugins(folder, count, readFileSync(plugin));
    try {
      const agent = await AgentProcess.start(
        { after: (release: () => unknown) => void afterwards.push(release) },
        {
          folder,
          registry: registryOf(count, 1),
          output: `servers = ["${nsqd}"]`,
          environment: { AGENT_LOG_LOGLEVEL: 'ERROR' },
        },
      );
      await work({ pid: agent.pid, endedRuns: () => endedRuns(agent) });
      await agent.kill('SIGTERM');
    } finally {
      for (const release of afterwards.reverse()) await release();
    }
  });
}

/** Writes to a file, which costs it less than sending; each line of it is a run. */
async function withTelegraf(
  program: string,
  plugin: string,
  count: number,
  work: (contestant: Contestant) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const config = join(folder, 'telegraf.conf');
    const output = join(folder, 'points');
    writeFileSync(config, telegrafConfig(plugin, output, count));
    const child = spawn(program, ['--config', config, '--quiet'], { stdio: 'ignore' });
    await once(child, 'spawn');
    try {
      await work({ pid: child.pid ?? 0, endedRuns: async () => linesOf(output) });
    } finally {
      await endProgram(child, 'SIGTERM');
    }
  });
}

/** Spread over the second, as the agent spreads them by itself. */
function telegrafConfig(plugin: string, output: string, count: number): string {
  const input = `[[inputs.exec]]\ncommands = ["${plugin}"]\ndata_format = "json"\n`;
  return `[agent]
interval = "1s"
collection_jitter = "1s"
flush_interval = "1s"
metric_buffer_limit = 100000
hostname = "bench"
[[outputs.file]]
files = ["${output}"]
data_format = "influx"
${input.repeat(count)}`;
}

/** Undefined when it cannot be built here. */
function buildTelegraf(): string | undefined {
  try {
    const build = join(PROJECT_ROOT, 'test/bench/telegraf/build');
    return execFileSync(build, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
  } catch {
    say('Telegraf cannot be built here: left out');
    return undefined;
  }
}

function linesOf(file: string): number {
  try {
    return readFileSync(file, 'latin1').split('\n').length - 1;
  } catch {
    return 0;
  }
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-bench-telegraf-'));
  chmodSync(folder, 0o755);
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
