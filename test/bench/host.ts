import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostPlan } from '../../src/shared/host-messages.js';
import { InspectorThreads } from '../../src/supervisor/host/inspector-threads.js';
import type { HostType } from '../../src/workers/host/host-type.js';
import { Inspections } from '../../src/workers/host/inspections.js';
import { LIVE_PLACES, type Places } from '../../src/workers/host/places.js';
import { AgentProcess } from '../support/agent-process.js';
import { LargeHost } from '../support/large-host.js';
import { RecordedRounds } from '../support/recorded-host.js';
import { recordingLog } from '../support/recording-log.js';
import { note, say } from './figures.js';
import { benchExporter } from './host-exporter.js';
import { cpuSeconds, residentMiB } from './process-usage.js';

const ROUNDS = 20;
/** Rounds before those that are measured, for the compiler. */
const WARM_UP_ROUNDS = 10;
/** Longer than any pause that a type makes where its work is dear. */
const APART_SECONDS = 61;

const PROGRAM = '/usr/bin/program7';

type Release = () => unknown;

/** What host metrics cost: by type and size of the machine, and a whole agent with and without them. */
export async function benchHost(agentSeconds: number): Promise<void> {
  const afterwards: Release[] = [];
  const test = { after: (release: Release) => void afterwards.push(release) };
  try {
    await benchLive();
    await benchSizes(test);
    await benchLiveProcesses();
    await benchExporter(test);
    await benchAgents(test, agentSeconds);
  } finally {
    for (const release of afterwards.reverse()) await release();
  }
}

async function benchLive(): Promise<void> {
  say('host metrics of this machine');
  const all = [
    'cpu',
    'mem',
    'disk',
    'net',
    'fs',
    'kernel',
    'coredump',
    'proc',
    'psi',
    'system',
    'cgroup',
    'socket',
  ];
  let frequent = 0;
  for (const name of all) {
    const cost = await costOf(name, LIVE_PLACES, process.execPath);
    if (['cpu', 'mem', 'disk', 'net'].includes(name)) frequent += cost;
    note(`host metrics: a round of ${name.toUpperCase()} on this machine`, cost, 'ms CPU');
  }
  note('host metrics: a round of CPU + MEM + DISK + NET on this machine', frequent, 'ms CPU');
}

async function benchSizes(test: { after: (release: Release) => void }): Promise<void> {
  say('host metrics of small and large machines');
  for (const cpus of [2, 64]) {
    const { places } = new LargeHost(test, { cpus, processes: 100 });
    for (const name of ['cpu', 'mem', 'disk', 'net']) {
      note(
        `host metrics: a round of ${name.toUpperCase()}, ${cpus} cpus`,
        await costOf(name, places),
        'ms CPU',
      );
    }
  }
  for (const mounts of [10, 2000]) {
    const folder = mkdtempSync(join(tmpdir(), 'agent-bench-mounts-'));
    test.after(() => rmSync(folder, { recursive: true, force: true }));
    for (let n = 0; n < mounts; n += 1) mkdirSync(join(folder, `volume${n}`));
    const { places } = new LargeHost(test, { mounts, mountFolder: folder });
    note(`host metrics: a round of FS, ${mounts} mounts`, await costOf('fs', places), 'ms CPU');
  }
  for (const processes of [300, 5000]) {
    const { places } = new LargeHost(test, { cpus: 2, processes });
    note(
      `host metrics: a round of CPU, ${processes} recorded processes`,
      await costOf('cpu', places),
      'ms CPU',
    );
    note(
      `host metrics: a round of PROC, ${processes} recorded processes`,
      await costOf('proc', places),
      'ms CPU',
    );
  }
}

/** Real processes, which the kernel takes longer to describe than a file. */
async function benchLiveProcesses(): Promise<void> {
  for (const processes of [300, 5000]) {
    say(`host metrics beside ${processes} processes`);
    const parent = await forkSleepers(processes);
    try {
      for (const name of ['cpu', 'proc']) {
        const cost = await costOf(name, LIVE_PLACES, process.execPath);
        note(
          `host metrics: a round of ${name.toUpperCase()} beside ${processes} live processes`,
          cost,
          'ms CPU',
        );
      }
    } finally {
      parent.kill('SIGTERM');
      await once(parent, 'exit');
    }
  }
}

/** Processes that sleep until their parent is gone. */
async function forkSleepers(count: number): Promise<ChildProcess> {
  const program = `use POSIX; $SIG{TERM} = sub { kill 9, @c; exit };
    for (1..${count}) { my $p = fork; if (!$p) { $SIG{TERM} = 'DEFAULT'; sleep 3600; exit } push @c, $p }
    $| = 1; print "ready"; sleep 3600;`;
  const parent = spawn('perl', ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(parent.stdout, 'data');
  return parent;
}

/** CPU time of a round in ms, of all threads that have a part in it. */
async function costOf(name: string, places: Places, path = PROGRAM): Promise<number> {
  const file: { readonly hostType: HostType<unknown> } = await import(
    `../../src/workers/host/types/${name}.js`
  );
  const rounds = new RecordedRounds(file.hostType, places);
  const plan: Partial<HostPlan> = { processes: [{ namespace: 'shop', name: 'PROC.program', path }] };
  const threads = new InspectorThreads(recordingLog().log);
  const inspections = new Inspections({
    timeoutMs: 60_000,
    startInspector: (port) => threads.start(port),
    warn: () => {},
  });
  const inspect = inspections.inspect.bind(inspections);
  const round = () => rounds.round(APART_SECONDS, { plan, inspect });
  for (let n = 0; n < WARM_UP_ROUNDS; n += 1) await round();
  const before = process.cpuUsage();
  for (let n = 0; n < ROUNDS; n += 1) await round();
  const { user, system } = process.cpuUsage(before);
  inspections.close();
  await threads.close();
  return (user + system) / 1000 / ROUNDS;
}

/** Two agents at the same time, one of which measures the host at the default intervals. */
async function benchAgents(test: { after: (release: Release) => void }, seconds: number): Promise<void> {
  say(`an agent with host metrics beside one without, ${seconds} s`);
  const start = (host: string) =>
    AgentProcess.start(test, {
      registry: { 'bench.local': [] },
      output: 'name = "file"\npath = "/dev/null"',
      host,
      environment: { AGENT_LOG_LOGLEVEL: 'ERROR' },
    });
  const [without, with_] = [await start('collect = []'), await start('')];
  await sleep(20_000);
  const usage = () => [without, with_].map(({ pid }) => cpuSeconds(pid));
  const before = usage();
  await sleep(seconds * 1000);
  const [idle = 0, measuring = 0] = usage().map(
    (now, place) => ((now - (before[place] ?? 0)) / seconds) * 100,
  );
  note('CPU of an idle agent without host metrics', idle, '% of a core');
  note('CPU of an idle agent with host metrics', measuring, '% of a core');
  note('CPU that host metrics add', measuring - idle, '% of a core');
  note('resident memory that host metrics add', residentMiB(with_.pid) - residentMiB(without.pid), 'MiB');
}
