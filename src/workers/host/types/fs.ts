import type { FileSystemUsage } from '../../../shared/host-messages.js';
import type { HostPoint, HostType, ReadContext } from '../host-type.js';
import type { InspectionResult } from '../inspections.js';
import { readShortKernelFile } from '../kernel-file.js';
import { type Mount, readMounts } from '../mount-table.js';
import { numbersOf, percentOf, wholeMebibytes } from '../numbers.js';

/** File systems, and the kernel's table of open files. */
export const hostType: HostType<undefined> = {
  type: 'FS',
  intervalSeconds: 300,
  async read(_previous, context) {
    const mounts = readMounts(context.places.proc);
    const results = await context.inspect(
      mounts.map(({ path, readOnly }) => ({ kind: 'mount', path, readOnly })),
    );
    const points = openFilePoints(context.places.proc);
    for (const [place, mount] of mounts.entries())
      points.push(...mountPoints(mount, results[place], context));
    return { points, state: undefined };
  },
};

function mountPoints(
  { path }: Mount,
  result: InspectionResult | undefined,
  { warn }: ReadContext,
): readonly HostPoint[] {
  const tags = { mount: path };
  if (result === 'stuck') return [{ name: 'fs.files.rw', value: 0, tags }];
  if (result === undefined || result === 'untried' || result.kind !== 'mount') return [];
  if (result.problem !== undefined) {
    warn(`file system ${path} cannot be used: ${result.problem}`, { about: `file system ${path}` });
  }
  return [
    ...(result.usage === undefined ? [] : usagePoints(result.usage, tags)),
    { name: 'fs.files.rw', value: result.usable ? 1 : 0, tags },
  ];
}

/** Percentages as `df` says them: of what users can have, rounded up. */
function usagePoints(usage: FileSystemUsage, tags: { readonly mount: string }): readonly HostPoint[] {
  const { totalBytes, freeBytes, availableBytes, inodes, freeInodes } = usage;
  const usedBytes = totalBytes - freeBytes;
  const points: HostPoint[] = [];
  if (totalBytes > 0) {
    points.push(
      { name: 'fs.space.total', value: wholeMebibytes(totalBytes), tags },
      { name: 'fs.space.used', value: wholeMebibytes(usedBytes), tags },
      { name: 'fs.space.free', value: wholeMebibytes(availableBytes), tags },
      { name: 'fs.space.used.percent', value: percentRoundedUp(usedBytes, usedBytes + availableBytes), tags },
    );
  }
  // Some file systems have no fixed number of inodes, and say 0.
  if (inodes > 0) {
    points.push({
      name: 'fs.inodes.used.percent',
      value: percentRoundedUp(inodes - freeInodes, inodes),
      tags,
    });
  }
  return points;
}

function percentRoundedUp(part: number, whole: number): number {
  return whole > 0 ? Math.ceil((part * 100) / whole) : 0;
}

/** `allocated unused max`; what is unused counts as free, though kernels of today always say 0. */
function openFilePoints(proc: string): HostPoint[] {
  const text = readShortKernelFile(`${proc}/sys/fs/file-nr`);
  if (text === undefined) return [];
  const [handles = 0, unused = 0, max = 0] = numbersOf(text);
  const allocated = handles - unused;
  return [
    { name: 'kernel.files.max', value: max },
    { name: 'kernel.files.allocated', value: allocated },
    { name: 'kernel.files.allocated.percent', value: percentOf(allocated, max) },
    { name: 'kernel.files.left', value: max - allocated },
  ];
}
