import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { killProcesses, moveProcess, processesIn } from '../../../shared/cgroup-processes.js';
import { reasonOf } from '../../../shared/coded-error.js';
import type { Log } from '../../../shared/log.js';
import type { RunTask } from '../../../shared/messages.js';
import { numbersIn } from '../../../shared/number-file.js';
import type { PluginCgroup } from '../../../shared/plugin-limits.js';
import type { ProcessBounds, ProcessExit } from '../started-process.js';
import type { Limited, ProcessLimits } from './process-limits.js';
import { resourceLimits } from './resource-limits.js';

/** What of a run says how it is bounded. */
export type BoundedRun = Pick<RunTask, 'limits' | 'user' | 'cgroup' | 'pluginName' | 'namespace'>;

/** How the bounds of a run turned out. */
export interface BoundsEnd {
  /** Processes that were left in the run's cgroup and were ended. */
  readonly left: readonly number[];
  /** Processes that the kernel ended as the run used too much memory. */
  readonly outOfMemory: number;
}

/** Nothing was found. */
export const NOTHING_LEFT: BoundsEnd = { left: [], outOfMemory: 0 };

/** What the end of a process may tell of its cgroup. */
export type CgroupEnd = Pick<ProcessExit, 'isCgroupEmpty'>;

/** The bounds of one run. */
export interface RunBounds extends ProcessBounds {
  /** To be called when the run's process is gone, with its pid: ends what it has left in its cgroup. */
  end(pid: number, exit: CgroupEnd | undefined): BoundsEnd;
}

/** A fork takes less, in milliseconds, on a machine that is not busy beyond measure. */
const FORK_MS = 0.5;
const NOBODY_WAKES = new Int32Array(new SharedArrayBuffer(4));

/** A process that goes on starting others faster than they are bounded is left to its end. */
const FAMILY_MAX = 1000;

/** The bounds of a run that is about to start. What fails leaves a process unbounded, is logged, and ends no run. */
export function boundsOf(run: BoundedRun, limits: ProcessLimits, log: Log): RunBounds {
  const { cgroup, pluginName: plugin, namespace } = run;
  const logFailure = (what: string, reason: string): void => {
    log.warn({ plugin, namespace }, `plugin ${plugin} runs without its cgroup, ${what}: ${reason}`);
  };
  const notMoved = (reason: string) => logFailure('into which its process could not be moved', reason);
  const attempt = <T>(work: (folder: string) => T, otherwise: T): T => {
    try {
      return cgroup === undefined ? otherwise : work(cgroup.folder);
    } catch (error) {
      logFailure('whose processes could not be ended', reasonOf(error));
      return otherwise;
    }
  };
  const killedBefore = outOfMemoryKills(cgroup);
  const limited = {
    limits: resourceLimits(run.limits, cgroup?.controllers.includes('pids') !== true),
    nice: run.limits.nice,
    user: run.user,
  };
  return {
    ...limited,
    cgroup: cgroup?.folder,
    apply: (pid) => {
      try {
        boundFamily(pid, limited, cgroup?.folder, limits);
      } catch (error) {
        notMoved(reasonOf(error));
      }
    },
    failed: (what, code) => {
      if (what === 'limits') limits.cannotBeSet(`the kernel answered ${code}`);
      // A plugin that is removed loses its cgroup while its last run begins.
      else if (code !== 'ENOENT' && code !== 'ENODEV') notMoved(`the kernel answered ${code}`);
    },
    kill: () => attempt(killProcesses, undefined),
    end: (pid, exit) =>
      attempt((folder) => {
        const found = exit?.isCgroupEmpty === true ? [] : processesIn(folder);
        // Those of the process's own group have got a SIGKILL already.
        const left = found.filter((member) => ![pid, undefined].includes(groupOf(member)));
        if (found.length > 0) killProcesses(folder);
        return { left, outOfMemory: outOfMemoryKills(cgroup) - killedBefore };
      }, NOTHING_LEFT),
  };
}

/** The process, and what it may have started before it was bounded. */
function boundFamily(pid: number, limited: Limited, cgroup: string | undefined, limits: ProcessLimits): void {
  const family = [pid];
  for (let next = 0; next < family.length && next < FAMILY_MAX; next += 1) {
    const member = family[next] ?? pid;
    const isThere = limits.apply(member, limited);
    if (!isThere || (cgroup !== undefined && !moveProcess(cgroup, member))) continue;
    // The move waits for a fork under way, which has the old limits; without one, that is given time to show.
    if (cgroup === undefined) Atomics.wait(NOBODY_WAKES, 0, 0, FORK_MS);
    family.push(...childrenOf(member));
  }
}

/** Children of a process that has one thread yet; none of one that is gone, or where the kernel does not tell. */
function childrenOf(pid: number): readonly number[] {
  return numbersIn(`/proc/${pid}/task/${pid}/children`) ?? [];
}

/** Undefined when the process is gone. */
function groupOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
  } catch {
    return undefined;
  }
}

/** How often the kernel has ended a process of the cgroup for want of memory. */
function outOfMemoryKills(cgroup: PluginCgroup | undefined): number {
  if (cgroup?.controllers.includes('memory') !== true) return 0;
  try {
    const text = readFileSync(join(cgroup.folder, 'memory.events'), 'latin1');
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  } catch {
    // The cgroup is gone.
    return 0;
  }
}
