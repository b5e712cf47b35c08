import type { HostPoint } from './host-type.js';
import { kernelFolder, readShortKernelFile } from './kernel-file.js';

/** When the states of processes are looked at again. */
export interface NextLook {
  readonly atMs: number;
}

/** What was counted. */
export interface ProcessCount {
  readonly points: readonly HostPoint[];
  readonly next: NextLook;
}

/** A look may take one part in so many of the time between two: 5,000 processes are looked at about once a minute. */
const TIME_PER_LOOK = 1000;
const LOOK_APART_MAX_MS = 60_000;

/**
 * Counts processes, and by a look at each of them those that run and zombies. There is no shorter way: what the kernel
 * counts for itself are threads, and zombies it does not count. A hundred processes take a millisecond; where there are
 * so many that every round would be dear, some rounds only count them.
 */
export function countProcesses(proc: string, monotonicMs: number, next: NextLook | undefined): ProcessCount {
  const processes = kernelFolder(proc).filter(isProcessId);
  if (processes.length === 0) return { points: [], next: { atMs: 0 } };
  const total = { name: 'ps.total.num', value: processes.length };
  if (next !== undefined && monotonicMs < next.atMs) return { points: [total], next };
  const startedMs = performance.now();
  const states = processes.map((pid) => processState(readShortKernelFile(`${proc}/${pid}/stat`)));
  const apartMs = Math.min((performance.now() - startedMs) * TIME_PER_LOOK, LOOK_APART_MAX_MS);
  const count = (wanted: string) => states.filter((state) => state === wanted).length;
  return {
    points: [
      total,
      { name: 'ps.running.num', value: count('R') },
      { name: 'ps.zombies.num', value: count('Z') },
    ],
    next: { atMs: monotonicMs + apartMs },
  };
}

/** True for the name of a process' folder in `/proc`. */
export function isProcessId(name: string): boolean {
  const first = name.charCodeAt(0);
  return first >= 49 && first <= 57;
}

/** The letter behind the name in parentheses, which may hold parentheses and blanks itself. */
function processState(stat: string | undefined): string | undefined {
  return stat === undefined ? undefined : stat[stat.lastIndexOf(')') + 2];
}
