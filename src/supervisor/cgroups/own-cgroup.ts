import { readFileSync, statfsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { codeOf } from '../../shared/coded-error.js';

/** `CGROUP2_SUPER_MAGIC` of the kernel. */
const CGROUP2_MAGIC = 0x63677270;

/** The folder of this process's own cgroup v2; undefined where no such hierarchy is mounted. */
export function ownCgroup(): string | undefined {
  try {
    const own = readFileSync('/proc/self/cgroup', 'utf8');
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    return cgroupFolder(own, mounts);
  } catch (error) {
    // Without /proc, or a kernel without cgroups.
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Where the cgroup v2 of a process is mounted.
 * @param cgroups content of its `/proc/<pid>/cgroup`
 * @param mounts content of its `/proc/<pid>/mountinfo`
 */
export function cgroupFolder(cgroups: string, mounts: string): string | undefined {
  const path = /^0::(\/.*)$/m.exec(cgroups)?.[1];
  // Begins with /.. for a process that was started outside of what this one can see.
  if (path === undefined || path.includes('/..')) return undefined;
  for (const line of mounts.split('\n')) {
    const [place = '', kind = ''] = line.split(' - ');
    const [, , , root, point] = place.split(' ').map(unescaped);
    if (kind.split(' ')[0] !== 'cgroup2' || root === undefined || point === undefined) continue;
    const below = relative(root, path);
    if (!below.startsWith('..')) return join(point, below);
  }
  return undefined;
}

/** Whether a folder is one of cgroup v2. */
export function isCgroup(folder: string): boolean {
  try {
    return statfsSync(folder).type === CGROUP2_MAGIC;
  } catch {
    return false;
  }
}

/** Blanks and the like stand there as octal numbers. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
