import { closeSync, existsSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from './coded-error.js';
import { numbersIn } from './number-file.js';

/** Rounds to end a cgroup: each ends all that were there when it began. */
const ROUNDS_MAX = 20;
const BETWEEN_ROUNDS_MS = 1;
const NOBODY_WAKES = new Int32Array(new SharedArrayBuffer(4));

/** Pids of the living processes in a cgroup; none where there is no such cgroup. */
export function processesIn(cgroup: string): readonly number[] {
  return numbersIn(`${cgroup}/cgroup.procs`) ?? [];
}

/**
 * Puts a process into a cgroup; what it starts from then on is in it, too. It takes some 20 µs; where other processes are
 * moved all the time some kernels make it wait for milliseconds.
 * @returns false when the process or the cgroup is gone
 */
export function moveProcess(cgroup: string, pid: number): boolean {
  let file: number | undefined;
  try {
    file = openSync(`${cgroup}/cgroup.procs`, 'r+');
    writeSync(file, String(pid));
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * Sends SIGKILL to everything in a cgroup, frozen where the kernel can (5.2), so that it cannot start new processes faster
 * than they are ended. Waits some milliseconds at most.
 *
 * Not by `cgroup.kill`: from then on Linux 6.14 and later end every process that is born in that cgroup (seen with 6.18;
 * the count of kills that it is compared with is that of its parent's cgroup).
 */
export function killProcesses(cgroup: string): void {
  try {
    killFrozen(cgroup);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function killFrozen(cgroup: string): void {
  const freeze = join(cgroup, 'cgroup.freeze');
  const canFreeze = existsSync(freeze);
  if (canFreeze) writeFileSync(freeze, '1', { flag: 'r+' });
  try {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const pids = processesIn(cgroup);
      if (pids.length === 0) return;
      for (const pid of pids) kill(pid);
      // What was in the middle of starting another one has to come to that before it is stopped.
      Atomics.wait(NOBODY_WAKES, 0, 0, BETWEEN_ROUNDS_MS);
    }
  } finally {
    if (canFreeze) writeFileSync(freeze, '0', { flag: 'r+' });
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

/** ENODEV is what a file of a cgroup says that was removed after it was opened. */
function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENODEV', 'ESRCH'].includes(codeOf(error) ?? '');
}
