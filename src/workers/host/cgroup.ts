import { dirname } from 'node:path';
import { readKernelFile, readNumberFile } from './kernel-file.js';
import type { Places } from './places.js';

/** What a control group's memory is, in bytes. */
export interface CgroupMemory {
  /** The least of its own limit and those above it. */
  readonly limit: number;
  /** Without files that the kernel can drop at any time. */
  readonly used: number;
  readonly cached: number;
  readonly slab: number | undefined;
}

/**
 * Memory of the closest control group (version 2) that has a limit; undefined where there is none. In a container its
 * own group is the root of what it sees.
 */
export function readCgroupMemory(places: Places): CgroupMemory | undefined {
  let least: CgroupMemory | undefined;
  for (const folder of ownGroups(places)) {
    const limit = readNumberFile(`${folder}/memory.max`);
    const current = readNumberFile(`${folder}/memory.current`);
    if (limit === undefined || current === undefined) continue;
    if (least !== undefined && least.limit <= limit) continue;
    const stat = keyedNumbers(readKernelFile(`${folder}/memory.stat`) ?? '');
    least = {
      limit,
      used: Math.max(0, current - (stat.get('inactive_file') ?? 0)),
      cached: stat.get('file') ?? 0,
      slab: stat.get('slab'),
    };
  }
  return least;
}

/** The counters of `cpu.stat` of the agent's own group; empty where there is none. */
export function readCgroupCpu(places: Places): ReadonlyMap<string, number> {
  const [own] = ownGroups(places);
  return keyedNumbers((own && readKernelFile(`${own}/cpu.stat`)) ?? '');
}

/** Folders of the agent's own group and of those above it, the own one first. */
function ownGroups({ proc, sys }: Places): readonly string[] {
  const path = /^0::(\/.*)$/m.exec(readKernelFile(`${proc}/self/cgroup`, 'utf8') ?? '')?.[1];
  if (path === undefined) return [];
  const root = `${sys}/fs/cgroup`;
  const folders: string[] = [];
  // A group outside of what a container sees begins with `/..`.
  for (let group = path.startsWith('/..') ? '/' : path; group !== '/'; group = dirname(group)) {
    folders.push(root + group);
  }
  return [...folders, root];
}

function keyedNumbers(text: string): Map<string, number> {
  const lines = text.split('\n').map((line) => line.split(' '));
  return new Map(lines.flatMap(([key, value]) => (key && value ? [[key, Number(value)] as const] : [])));
}
