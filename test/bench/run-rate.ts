/** How many runs a second an agent can do, and what each of them costs. */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentProcess } from '../support/agent-process.js';
import { waitUntil } from '../support/wait-until.js';
import { endedRuns } from './ended-runs.js';
import { note, say } from './figures.js';
import { layOutPlugins, registryOf } from './laid-out-plugins.js';
import { buildLeastPlugin } from './least-plugin.js';
import { cpuSeconds } from './process-usage.js';

/** Each is due every second: more than a small machine can do, so that there is always one to run. */
const PLUGINS = 4000;
const WARM_UP_MS = 3000;

/** Runs as fast as they go, of the least that a process can be and of a shell script. */
export async function benchRunRate(nsqd: string, seconds: number): Promise<void> {
  await measure(nsqd, 'compiled', (folder) => readFileSync(buildLeastPlugin(folder)), seconds);
  await measure(nsqd, 'shell', () => '#!/bin/sh\necho \'[{"name":"up","value":1}]\'\n', seconds);
}

async function measure(
  nsqd: string,
  kind: string,
  program: (folder: string) => string | Buffer,
  seconds: number,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-bench-runs-'));
  chmodSync(folder, 0o755);
  const afterwards: (() => unknown)[] = [];
  try {
    layOutPlugins(folder, PLUGINS, program(folder));
    say(`runs of a ${kind} plugin, as many as go`);
    const agent = await AgentProcess.start(
      { after: (release: () => unknown) => void afterwards.push(release) },
      {
        folder,
        registry: registryOf(PLUGINS, 1),
        output: `servers = ["${nsqd}"]`,
        environment: { AGENT_LOG_LOGLEVEL: 'ERROR' },
      },
    );
    await waitUntil('some have run', async () => (await endedRuns(agent)) > 0);
    await sleep(WARM_UP_MS);
    const before = { runs: await endedRuns(agent), cpu: cpuSeconds(agent.pid), at: performance.now() };
    await sleep(seconds * 1000);
    const runs = (await endedRuns(agent)) - before.runs;
    const tookMs = performance.now() - before.at;
    const cpuMs = (cpuSeconds(agent.pid) - before.cpu) * 1000;
    note(`runs of a ${kind} plugin, as many as go`, (runs * 1000) / tookMs, 'runs/s');
    note(`CPU time of a ${kind} plugin's run, its own included`, cpuMs / runs, 'ms');
    await agent.kill('SIGTERM');
  } finally {
    for (const release of afterwards.reverse()) await release();
    rmSync(folder, { recursive: true, force: true });
  }
}
