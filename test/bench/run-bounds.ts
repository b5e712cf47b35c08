/** What it costs to look at a plugin's file, to limit its process and to put it into a cgroup, for one run each. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cLibrary } from '../../src/shared/native/c-library.js';
import { FileHashes } from '../../src/workers/runner/file-hashes.js';
import { ownersOf } from '../../src/workers/runner/file-owners.js';
import { LauncherEngine } from '../../src/workers/runner/launcher-engine.js';
import { ProcessLimits } from '../../src/workers/runner/limits/process-limits.js';
import { resourceLimits } from '../../src/workers/runner/limits/resource-limits.js';
import { RunBounds } from '../../src/workers/runner/limits/run-bounds.js';
import { stateFolderProblem } from '../../src/workers/runner/plugin-state.js';
import { trustProblem } from '../../src/workers/runner/plugin-trust.js';
import { NO_CGROUPS, testCgroup } from '../support/cgroup.js';
import { NO_LAUNCHER } from '../support/launcher.js';
import { shellPlugin } from '../support/plugin-folder.js';
import { recordingLog } from '../support/recording-log.js';
import { NO_LIMITS, PLUGIN_USER } from '../support/runner-pool.js';
import { note, say } from './figures.js';
import { quantile } from './quantile.js';

const ROUNDS = 300;
const LIMITS = { ...NO_LIMITS, cpuseconds: 300, openfiles: 1024, filesize: 1_073_741_824, processes: 4096 };

/** Microseconds of the thread for each step, in the middle and at the worst of a hundred. */
export async function benchRunBounds(): Promise<void> {
  say('trust, limits and cgroup of a run');
  const afterwards: (() => unknown)[] = [];
  const test = { after: (release: () => unknown) => void afterwards.push(release) };
  try {
    await benchTrust(shellPlugin(test, 'exit'));
    await benchLimits('limits', undefined);
    if (NO_CGROUPS === undefined) await benchLimits('limits and a cgroup', testCgroup(test));
    else say(`no cgroups here: ${NO_CGROUPS}`);
  } finally {
    for (const release of afterwards.reverse()) await release();
  }
}

async function benchTrust(folder: string): Promise<void> {
  const sha256 = createHash('sha256')
    .update(readFileSync(join(folder, 'plugin')))
    .digest('hex');
  const trust = { storeFolder: dirname(folder), commit: '', fetchedSha256: undefined };
  const hashes = new FileHashes();
  const { library } = cLibrary();
  const look = library && NO_LAUNCHER === undefined ? new LauncherEngine(library).owners : ownersOf;
  for (const [what, pin] of [
    ['trust', undefined],
    ['trust, with a pinned SHA-256', { sha256 }],
  ] as const) {
    const times: number[] = [];
    for (let round = 0; round < 10 * ROUNDS; round += 1) {
      const startedAt = performance.now();
      await trustProblem({ folder, user: PLUGIN_USER, trust: { ...trust, pin } }, hashes, look);
      times.push(performance.now() - startedAt);
    }
    noteTimes(what, times);
  }
  const times: number[] = [];
  for (let round = 0; round < 10 * ROUNDS; round += 1) {
    const startedAt = performance.now();
    stateFolderProblem(join(dirname(folder), 'state'), PLUGIN_USER, look);
    times.push(performance.now() - startedAt);
  }
  noteTimes('state folder', times);
}

async function benchLimits(what: string, cgroup: string | undefined): Promise<void> {
  const { log } = recordingLog();
  const limits = new ProcessLimits(log, (reason) => {
    throw new Error(reason);
  });
  const starts: number[] = [];
  const ends: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const child = spawn('sleep', ['60'], {
      stdio: 'ignore',
      ...(PLUGIN_USER && { uid: PLUGIN_USER.uid, gid: PLUGIN_USER.gid }),
    });
    const ended = once(child, 'exit');
    const run = {
      pluginName: 'bench',
      namespace: 'bench',
      limits: LIMITS,
      user: PLUGIN_USER,
      cgroup: cgroup === undefined ? undefined : { folder: cgroup, controllers: [] },
    };
    const startedAt = performance.now();
    const limited = { limits: resourceLimits(LIMITS, true), nice: 0, user: PLUGIN_USER };
    const bounds = new RunBounds(run, limited, limits, log);
    bounds.apply(child.pid ?? 0);
    starts.push(performance.now() - startedAt);
    child.kill('SIGKILL');
    await ended;
    const endedAt = performance.now();
    bounds.end(child.pid ?? 0, undefined);
    ends.push(performance.now() - endedAt);
  }
  noteTimes(`${what}, at the start`, starts);
  noteTimes(`${what}, at the end`, ends);
}

function noteTimes(what: string, times: number[]): void {
  note(`bounds: ${what}, median`, 1000 * quantile(times, 0.5), 'µs');
  note(`bounds: ${what}, 99 of 100`, 1000 * quantile(times, 0.99), 'µs');
}
