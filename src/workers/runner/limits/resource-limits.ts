import type { Resource } from '../../../shared/native/abi.js';
import type { PluginLimits } from '../../../shared/plugin-limits.js';

/** A bound that the kernel keeps for each process. */
export interface ResourceLimit {
  readonly resource: Resource;
  /** Above this a process is told or refused, in the resource's unit. */
  readonly soft: number;
  readonly hard: number;
}

/** After the signal that a process gets at its limit of processor time it has this long, in seconds, before SIGKILL. */
const CPU_GRACE_SECONDS = 1;

/**
 * The limits of a plugin that the kernel keeps for each of its processes.
 * @param countsProcesses false where a cgroup counts them, which is more to the point
 */
export function resourceLimits(limits: PluginLimits, countsProcesses: boolean): readonly ResourceLimit[] {
  const { cpuseconds, addressspace, openfiles, filesize, processes } = limits;
  const wanted: readonly [Resource, number, number][] = [
    ['processes', countsProcesses ? processes : 0, processes],
    ['cpu', cpuseconds, cpuseconds + CPU_GRACE_SECONDS],
    ['addressSpace', addressspace, addressspace],
    ['openFiles', openfiles, openfiles],
    ['fileSize', filesize, filesize],
  ];
  const set = wanted
    .filter(([, soft]) => soft !== 0)
    .map(([resource, soft, hard]) => ({ resource, soft, hard }));
  return [{ resource: 'core', soft: 0, hard: 0 }, ...set];
}
