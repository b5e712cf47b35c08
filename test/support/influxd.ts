import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { lastingPort } from './lasting-port.js';
import { waitUntil } from './wait-until.js';

/**
 * For the `skip` option of tests that need influxd: the reason when it is not installed, else false.
 * Under CI=true always false, so that those tests fail there.
 */
export const influxdSkipReason: string | false = process.env.CI === 'true' ? false : missingReason();

export interface InfluxdOptions {
  /** An administrator of this name must sign in; it is made at the first start. */
  readonly admin?: { readonly name: string; readonly password: string };
  /** Longer bodies of requests are refused. */
  readonly maxBodyBytes?: number;
}

/** A row of a query's answer, by column; tags that were grouped by included. */
export type InfluxRow = Readonly<Record<string, unknown>>;

/** A real influxd of version 1 on the loopback interface. It is ended, and its data removed, after the test. */
export interface Influxd {
  /** `http://127.0.0.1:port`; the same after a restart. */
  readonly url: string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT: connections are accepted by the kernel, nothing is answered. */
  pause(): Promise<void>;
  resume(): void;
  /** Starts it again on the same port and data. Only after `kill`. */
  start(): Promise<void>;
  /** Runs an InfluxQL statement, as the administrator where there is one; the rows of all its series. */
  query(statement: string, database?: string): Promise<readonly InfluxRow[]>;
}

/** Ended with this process, should it end in the middle of a test. */
const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** Starts influxd on a free port and waits until it answers. */
export async function startInfluxd(
  test: Pick<TestContext, 'after'>,
  options: InfluxdOptions = {},
): Promise<Influxd> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-test-influxd-'));
  const launched: ChildProcess[] = [];
  test.after(async () => {
    for (const child of launched) await kill(child);
    rmSync(folder, { recursive: true, force: true });
  });
  const start = async (address: string) => {
    const child = launch(folder, address, options);
    launched.push(child);
    return { child, url: await listeningUrl(child) };
  };
  let running = await start(`127.0.0.1:${await lastingPort()}`);
  const { url } = running;
  const query: Influxd['query'] = (statement, database) => ask(url, options, statement, database);
  if (options.admin) {
    const { name, password } = options.admin;
    await ask(url, {}, `CREATE USER "${name}" WITH PASSWORD '${password}' WITH ALL PRIVILEGES`);
  }
  return {
    url,
    query,
    kill: () => kill(running.child),
    pause: () => pause(running.child),
    resume: () => void running.child.kill('SIGCONT'),
    start: async () => {
      running = await start(new URL(url).host);
    },
  };
}

function launch(folder: string, address: string, options: InfluxdOptions): ChildProcess {
  const file = join(folder, 'influxd.conf');
  writeFileSync(file, configuration(folder, address, options));
  // Reports to its makers are off in the file, and in the environment should that be read otherwise.
  const environment = { PATH: process.env.PATH, HOME: folder, INFLUXDB_REPORTING_DISABLED: 'true' };
  const child = spawn('influxd', ['-config', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: environment,
  });
  alive.add(child);
  child.once('exit', () => alive.delete(child));
  return child;
}

function configuration(folder: string, address: string, { admin, maxBodyBytes }: InfluxdOptions): string {
  return `
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "${folder}/meta"
[data]
  dir = "${folder}/data"
  wal-dir = "${folder}/wal"
[monitor]
  store-enabled = false
[continuous_queries]
  enabled = false
[subscriber]
  enabled = false
[http]
  bind-address = "${address}"
  log-enabled = false
  auth-enabled = ${admin !== undefined}
  ${maxBodyBytes === undefined ? '' : `max-body-size = ${maxBodyBytes}`}
`;
}

/** Reads where it listens from what it logs, and goes on reading so that it never waits for room in the pipe. */
async function listeningUrl(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  let address: string | undefined;
  let failed: Error | undefined;
  if (child.stderr === null) throw new Error('influxd has no stderr');
  child.once('error', (error) => {
    failed = error;
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (said.length < 50) said.push(line);
    address ??= /Listening on HTTP.* addr=(\S+)/.exec(line)?.[1];
  });
  const url = await waitUntil('influxd listens', () => {
    if (failed !== undefined) throw failed;
    if (isOver(child)) throw new Error(`influxd ended at once:\n${said.join('\n')}`);
    return address !== undefined && `http://${address}`;
  });
  await waitUntil('influxd answers', async () => (await fetch(`${url}/ping`)).status === 204);
  return url;
}

interface QueryAnswer {
  readonly error?: string;
  readonly results?: readonly {
    readonly error?: string;
    readonly series?: readonly {
      readonly tags?: Readonly<Record<string, string>>;
      readonly columns: readonly string[];
      readonly values: readonly (readonly unknown[])[];
    }[];
  }[];
}

async function ask(
  url: string,
  { admin }: InfluxdOptions,
  statement: string,
  database = '',
): Promise<readonly InfluxRow[]> {
  const response = await fetch(`${url}/query?epoch=s&db=${encodeURIComponent(database)}`, {
    method: 'POST',
    body: new URLSearchParams({ q: statement }),
    headers: admin
      ? { authorization: `Basic ${Buffer.from(`${admin.name}:${admin.password}`).toString('base64')}` }
      : {},
  });
  const { error, results = [] } = (await response.json()) as QueryAnswer;
  const problem = error ?? results.find((result) => result.error !== undefined)?.error;
  if (problem !== undefined) throw new Error(`${statement}: ${problem}`);
  return results
    .flatMap(({ series = [] }) => series)
    .flatMap(({ tags, columns, values }) =>
      values.map((row) => ({
        ...tags,
        ...Object.fromEntries(columns.map((column, place) => [column, row[place]])),
      })),
    );
}

async function kill(child: ChildProcess): Promise<void> {
  if (isOver(child) || child.pid === undefined) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** The signal reaches the threads one by one: only when all are stopped nothing is answered any more. */
async function pause(child: ChildProcess): Promise<void> {
  child.kill('SIGSTOP');
  const threads = `/proc/${child.pid}/task`;
  await waitUntil('every thread of influxd is stopped', () =>
    readdirSync(threads).every((thread) =>
      /\) T /.test(readFileSync(join(threads, thread, 'stat'), 'latin1')),
    ),
  );
}

function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function missingReason(): string | false {
  try {
    execFileSync('influxd', ['version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'influxd is not installed: it is in the package influxdb of Debian and Ubuntu';
  }
}
