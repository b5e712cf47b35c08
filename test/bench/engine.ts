/** What starting a process costs, ours beside others, in one go. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROJECT_ROOT } from '../support/project-root.js';
import { note, say } from './figures.js';
import { buildLeastPlugin, buildSpawnLimit } from './least-plugin.js';

const AT_ONCE = 16;
const ROUNDS = 3;
const SOURCES = join(PROJECT_ROOT, 'test/bench');
const ENGINE = fileURLToPath(new URL('spawn-engine.js', import.meta.url));

interface Result {
  readonly runs: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly moreDescriptors?: number;
  readonly zombies?: number;
}

interface Contestant {
  readonly name: string;
  readonly command: readonly string[];
}

/** @param runs of each contestant and round, of a static program that prints one metric */
export async function benchEngine(runs: number): Promise<void> {
  withFolder((folder) => {
    const program = buildLeastPlugin(folder);
    const contestants = contestantsFor(folder, program);
    const best = new Map<string, Result>();
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const { name, command } of contestants) {
        say(`${runs} runs, ${name}`);
        const result = measure(command, program, runs);
        if (result.cpuSeconds < (best.get(name)?.cpuSeconds ?? Number.POSITIVE_INFINITY))
          best.set(name, result);
      }
    }
    const limit = best.get(contestants[0]?.name ?? '');
    for (const [name, { seconds, cpuSeconds }] of best) {
      note(`starting a program, ${name}`, runs / seconds, 'runs/s');
      note(`starting a program, ${name}: CPU of a run, its own included`, (cpuSeconds / runs) * 1000, 'ms');
      if (limit)
        note(`starting a program, ${name}: CPU, in that of the limit`, cpuSeconds / limit.cpuSeconds, '×');
    }
  });
}

/** Very many runs: what is left of them. @throws when a descriptor or a zombie is */
export async function benchManyRuns(runs: number): Promise<void> {
  withFolder((folder) => {
    say(`${runs} runs, what they leave behind`);
    const result = measure([process.execPath, ENGINE, 'launcher'], buildLeastPlugin(folder), runs);
    note(`descriptors more after ${runs} runs`, result.moreDescriptors ?? 0, 'descriptors');
    note(`zombies after ${runs} runs`, result.zombies ?? 0, 'processes');
    note(`such runs`, runs / result.seconds, 'runs/s');
    if (result.moreDescriptors !== 0 || result.zombies !== 0) throw new Error('runs leave something behind');
  });
}

function withFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'agent-bench-engine-'));
  chmodSync(folder, 0o755);
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function contestantsFor(folder: string, program: string): readonly Contestant[] {
  const limit = buildSpawnLimit(folder);
  const ours = (engine: string, ...more: readonly string[]) => ({ engine, more });
  const node = [
    { name: 'launcher', ...ours('launcher') },
    { name: 'launcher, 500 MiB more memory', ...ours('launcher', '500') },
    { name: 'posix_spawn engine', ...ours('posix_spawn') },
    { name: 'posix_spawn engine, 500 MiB more memory', ...ours('posix_spawn', '500') },
    { name: 'cross-spawn engine', ...ours('cross-spawn') },
    { name: 'cross-spawn engine, 500 MiB more memory', ...ours('cross-spawn', '500') },
  ].map(({ name, engine, more }) => ({
    name,
    command: [process.execPath, ENGINE, engine, program, RUNS_HERE, String(AT_ONCE), ...more],
  }));
  return [{ name: 'C, posix_spawn (the limit)', command: [limit] }, ...goContestant(folder), ...node];
}

/** In the place of which the number of runs goes. */
const RUNS_HERE = '%runs%';

function goContestant(folder: string): readonly Contestant[] {
  const program = join(folder, 'spawn-go');
  try {
    execFileSync('go', ['build', '-o', program, join(SOURCES, 'spawn-go.go')], { stdio: 'pipe' });
    return [{ name: 'Go, os/exec', command: [program] }];
  } catch {
    say('Go is not here, or does not build: left out');
    return [];
  }
}

function measure([file = '', ...args]: readonly string[], program: string, runs: number): Result {
  const given = args.includes(RUNS_HERE)
    ? args.map((argument) => (argument === RUNS_HERE ? String(runs) : argument))
    : [...args, program, String(runs), String(AT_ONCE)];
  return JSON.parse(execFileSync(file, given, { encoding: 'utf8' }));
}
