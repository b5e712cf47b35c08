import type { HostPoint } from './host-type.js';
import { kernelFolder, readShortKernelFile } from './kernel-file.js';

/**
 * Counts processes by their states. There is no shorter way than a look at each: what the kernel counts for itself are
 * threads, and it does not count zombies. One short file of each is opened, which is all that this costs.
 */
export function countProcesses(proc: string): readonly HostPoint[] {
  let total = 0;
  let running = 0;
  let zombies = 0;
  for (const name of kernelFolder(proc)) {
    if (!isProcessId(name)) continue;
    const state = processState(readShortKernelFile(`${proc}/${name}/stat`));
    if (state === undefined) continue;
    total += 1;
    if (state === 'R') running += 1;
    else if (state === 'Z') zombies += 1;
  }
  if (total === 0) return [];
  return [
    { name: 'ps.total.num', value: total },
    { name: 'ps.running.num', value: running },
    { name: 'ps.zombies.num', value: zombies },
  ];
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
