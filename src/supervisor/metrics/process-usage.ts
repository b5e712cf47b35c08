import { readdir, readFile } from 'node:fs/promises';

/** What the process of the agent, all its threads together, uses of the machine. Plugins are processes of their own. */
export interface ProcessUsage {
  /** Unix time. */
  readonly startedAtSeconds: number;
  /** Since it started, in user and in kernel mode together. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Undefined where `/proc` does not tell, as for the two below. */
  readonly openDescriptors: number | undefined;
  /** How many it may have open; undefined when there is no bound. */
  readonly maxDescriptors: number | undefined;
}

/** Reads it now. */
export async function readProcessUsage(): Promise<ProcessUsage> {
  const { user, system } = process.cpuUsage();
  const [openDescriptors, maxDescriptors] = await Promise.all([countDescriptors(), readMaxDescriptors()]);
  return {
    startedAtSeconds: performance.timeOrigin / 1000,
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    openDescriptors,
    maxDescriptors,
  };
}

async function countDescriptors(): Promise<number | undefined> {
  const descriptors = await readdir('/proc/self/fd').catch(() => undefined);
  // One of them was open only for this look.
  return descriptors && descriptors.length - 1;
}

async function readMaxDescriptors(): Promise<number | undefined> {
  const limits = await readFile('/proc/self/limits', 'latin1').catch(() => '');
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
