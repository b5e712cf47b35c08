import { type CgroupMemory, readCgroupMemory } from '../cgroup.js';
import type { HostPoint, HostType } from '../host-type.js';
import { readKernelFile } from '../kernel-file.js';
import { percentOf, wholeMebibytes } from '../numbers.js';

/** Bytes. */
interface Memory {
  readonly total: number;
  readonly free: number;
  readonly buffers: number;
  readonly cached: number;
  readonly slab: number | undefined;
  readonly swapTotal: number;
  readonly swapFree: number;
}

/** Main memory and swap. */
export const hostType: HostType<undefined> = {
  type: 'MEM',
  intervalSeconds: 10,
  read(_previous, { places, settings }) {
    const machine = readMemory(places.proc);
    if (machine === undefined) return { points: [], state: undefined };
    const group = settings.cgroup ? readCgroupMemory(places) : undefined;
    return { points: points(withinGroup(machine, group)), state: undefined };
  },
};

function readMemory(proc: string): Memory | undefined {
  const bytes = new Map<string, number>();
  for (const line of readKernelFile(`${proc}/meminfo`)?.split('\n') ?? []) {
    const colon = line.indexOf(':');
    if (colon > 0) bytes.set(line.slice(0, colon), Number.parseInt(line.slice(colon + 1), 10) * 1024);
  }
  const total = bytes.get('MemTotal');
  if (total === undefined) return undefined;
  const [free = 0, buffers = 0, cached = 0] = ['MemFree', 'Buffers', 'Cached'].map((key) => bytes.get(key));
  return {
    total,
    free: Math.min(total, bytes.get('MemAvailable') ?? free + buffers + cached),
    buffers,
    cached,
    slab: bytes.get('Slab'),
    swapTotal: bytes.get('SwapTotal') ?? 0,
    swapFree: bytes.get('SwapFree') ?? 0,
  };
}

/** A limit of the control group below the machine's memory is all that there is for those in it. */
function withinGroup(machine: Memory, group: CgroupMemory | undefined): Memory {
  if (group === undefined || group.limit >= machine.total) return machine;
  return {
    ...machine,
    total: group.limit,
    free: Math.max(0, group.limit - group.used),
    buffers: 0,
    cached: group.cached,
    slab: group.slab,
  };
}

function points({ total, free, buffers, cached, slab, swapTotal, swapFree }: Memory): HostPoint[] {
  const totalMebibytes = wholeMebibytes(total);
  const freeMebibytes = wholeMebibytes(free);
  return [
    { name: 'mem.total', value: totalMebibytes },
    { name: 'mem.used', value: totalMebibytes - freeMebibytes },
    { name: 'mem.free', value: freeMebibytes },
    { name: 'mem.buffers', value: wholeMebibytes(buffers) },
    { name: 'mem.cached', value: wholeMebibytes(cached) },
    ...(slab === undefined ? [] : [{ name: 'mem.slab', value: wholeMebibytes(slab) }]),
    { name: 'mem.used.percent', value: percentOf(total - free, total) },
    { name: 'mem.swap.used.percent', value: percentOf(swapTotal - swapFree, swapTotal) },
  ];
}
