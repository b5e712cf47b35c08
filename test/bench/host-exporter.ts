import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listenOnFreePort } from '../support/free-port.js';
import { waitUntil } from '../support/wait-until.js';
import { note, say } from './figures.js';
import { cpuSeconds, residentMiB } from './process-usage.js';

const PACKAGE = 'prometheus-node-exporter';
const SCRAPES = 100;

/** Those that tell what CPU, MEM, DISK, NET, FS and PSI do. */
const COLLECTORS = [
  'cpu',
  'loadavg',
  'stat',
  'processes',
  'meminfo',
  'diskstats',
  'netdev',
  'netclass',
  'sockstat',
  'filesystem',
  'filefd',
  'pressure',
];

interface Cleaner {
  after(release: () => unknown): void;
}

/** What Debian's exporter of host metrics for Prometheus needs for a scrape; left out where it cannot be had. */
export async function benchExporter(test: Cleaner): Promise<void> {
  const program = findExporter(test);
  if (program === undefined) {
    say(`${PACKAGE} is missing and cannot be fetched here: left out`);
    return;
  }
  say(`${PACKAGE} beside it`);
  const port = await freePort();
  const exporter = spawn(
    program,
    [
      `--web.listen-address=127.0.0.1:${port}`,
      '--collector.disable-defaults',
      ...COLLECTORS.map((name) => `--collector.${name}`),
    ],
    { stdio: 'ignore' },
  );
  test.after(() => exporter.kill('SIGKILL'));
  await measure(exporter, `http://127.0.0.1:${port}/metrics`);
  exporter.kill('SIGTERM');
}

async function measure({ pid = 0 }: ChildProcess, address: string): Promise<void> {
  const scrape = async () => (await (await fetch(address)).text()).length;
  await waitUntil('the exporter answers', () => scrape().catch(() => undefined));
  for (let n = 0; n < SCRAPES; n += 1) await scrape();
  const before = cpuSeconds(pid);
  for (let n = 0; n < SCRAPES; n += 1) await scrape();
  note(
    `${PACKAGE}: a scrape of the matching collectors`,
    ((cpuSeconds(pid) - before) * 1000) / SCRAPES,
    'ms CPU',
  );
  note(`${PACKAGE}: resident memory`, residentMiB(pid), 'MiB');
}

/** The one that is installed, or one that is unpacked from its package without being installed. */
function findExporter(test: Cleaner): string | undefined {
  try {
    return execFileSync('sh', ['-c', `command -v ${PACKAGE}`], { encoding: 'utf8' }).trim();
  } catch {
    return fetchExporter(test);
  }
}

function fetchExporter(test: Cleaner): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'agent-bench-exporter-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  try {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'ignore' });
    execFileSync('apt-get', ['download', '-qq', PACKAGE], { cwd: folder, stdio: 'ignore' });
    const [file = ''] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
    execFileSync('dpkg-deb', ['-x', join(folder, file), folder]);
    return join(folder, 'usr/bin', PACKAGE);
  } catch {
    return undefined;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenOnFreePort({ after: () => {} }, server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
