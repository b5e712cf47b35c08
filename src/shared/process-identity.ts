import { readFileSync } from 'node:fs';
import { codeOf } from './coded-error.js';

/**
 * A process beyond doubt. A pid alone is reused by other programs; together with the moment that the process started
 * and the boot that this moment counts from it is not.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to its start, field 22 of `/proc/<pid>/stat`; empty where there is no `/proc`. */
  readonly startTicks: string;
  /** The kernel's id of the running boot; empty where there is no `/proc`. */
  readonly bootId: string;
}

/** Identity of the process that asks. */
export function ownIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    startTicks: readProcess(process.pid)?.startTicks ?? '',
    bootId: readBootId(),
  };
}

/** True while exactly this process runs; false when it ended, also when its pid belongs to another program by now. */
export function isRunning(identity: ProcessIdentity): boolean {
  const bootId = readBootId();
  // That it cannot be read, as for want of a descriptor, does not mean that it is another one.
  if (identity.bootId !== '' && bootId !== '' && identity.bootId !== bootId) return false;
  const found = readProcess(identity.pid);
  // Without /proc, or where it hides the processes of other users, the kernel still says whether the pid is in use.
  if (found === undefined) return pidIsVisibleOnlyToKernel(identity.pid);
  // An ended process whose parent has not asked for its exit status yet keeps its entry, but does nothing any more.
  if (found.state === 'Z' || found.state === 'X') return false;
  return identity.startTicks === '' || identity.startTicks === found.startTicks;
}

interface ProcessEntry {
  readonly state: string;
  readonly startTicks: string;
}

function readProcess(pid: number): ProcessEntry | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The second field is the program's name in brackets and may itself hold blanks and brackets.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTicks = fields[19];
  return state === undefined || startTicks === undefined ? undefined : { state, startTicks };
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}

function pidIsVisibleOnlyToKernel(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}
