import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitUntil } from './wait-until.js';

const FOLDER = join(testCacheFolder(), 'nsq-1.3.0');

/** A program of NSQ that listens. */
export interface NsqProgram {
  readonly process: ChildProcess;
  readonly tcpAddress: string;
  readonly httpAddress: string;
}

/** Ended with this process, should it end in the middle of a test. */
const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** Where what tests build outlives the checkout. */
export function testCacheFolder(): string {
  return (
    process.env.AGENT_TEST_CACHE ||
    join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'agent-test')
  );
}

/** Starts a program that `test/nsqd/build` made, and waits until it listens on both its ports. */
export async function launchNsqProgram(
  name: 'nsqd' | 'nsqlookupd',
  argumentList: readonly string[],
): Promise<NsqProgram> {
  const missing = missingReason();
  if (missing !== false) throw new Error(missing);
  const child = spawn(join(FOLDER, name), [...argumentList], { stdio: ['ignore', 'ignore', 'pipe'] });
  alive.add(child);
  child.once('exit', () => alive.delete(child));
  try {
    return { process: child, ...(await listeningAddresses(name, child)) };
  } catch (error) {
    await endProgram(child, 'SIGKILL');
    throw error;
  }
}

/**
 * nsqd 1.3.0 never ends when a connection is made in the moment in which it stops: it has stored its messages, listens
 * no more, and waits for that connection. After so long such a one is killed.
 */
const STUCK_AFTER_MS = 10_000;

/** Resolves when it is gone; at once when it already is. */
export async function endProgram(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (isOver(child) || child.pid === undefined) return;
  const exited = once(child, 'exit');
  // A paused process takes no other signal but SIGKILL.
  if (signal !== 'SIGKILL') child.kill('SIGCONT');
  child.kill(signal);
  const stuck = setTimeout(() => child.kill('SIGKILL'), STUCK_AFTER_MS);
  await exited;
  clearTimeout(stuck);
}

/** The reason when the programs were not built, else false. */
export function missingReason(): string | false {
  try {
    for (const name of ['nsqd', 'nsqlookupd']) accessSync(join(FOLDER, name), constants.X_OK);
    return false;
  } catch {
    return `nsqd 1.3.0 is not built: install Go and run test/nsqd/build (looked in ${FOLDER})`;
  }
}

/** Reads where it listens from what it logs, and goes on reading so that it never waits for room in the pipe. */
async function listeningAddresses(
  name: string,
  child: ChildProcess,
): Promise<{ tcpAddress: string; httpAddress: string }> {
  const said: string[] = [];
  let tcpAddress: string | undefined;
  let httpAddress: string | undefined;
  if (child.stderr === null) throw new Error(`${name} has no stderr`);
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (said.length < 50) said.push(line);
    tcpAddress ??= /TCP: listening on (\S+)/.exec(line)?.[1];
    httpAddress ??= /HTTP: listening on (\S+)/.exec(line)?.[1];
  });
  let failed: Error | undefined;
  child.once('error', (error) => {
    failed = error;
  });
  return waitUntil(`${name} listens`, () => {
    if (failed !== undefined) throw failed;
    if (isOver(child)) throw new Error(`${name} ended at once:\n${said.join('\n')}`);
    return tcpAddress !== undefined && httpAddress !== undefined && { tcpAddress, httpAddress };
  });
}

function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
