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

/** A fork takes less, in milliseconds, on a machine that is not busy. */
const FORK_MS = 0.5;

/** Where it is, nobody knows how long: what was forked is looked for after so long, and twice as long each time, up to the most. */
const SLOW_FORK_MS = 50;
const SLOWEST_FORK_MS = 3200;
const NOBODY_WAKES = new Int32Array(new SharedArrayBuffer(4));

/** A process that goes on starting others faster than they are bounded is left to its end. */
const FAMILY_MAX = 1000;

/** The bounds of one run, from right before its start on. What fails leaves it unbounded, is logged, and ends no run. */
export class RunBounds implements ProcessBounds {
  readonly #run: BoundedRun;
  readonly #limited: Limited;
  readonly #limits: ProcessLimits;
  readonly #log: Log;
  readonly #killedBefore: number;
  #lookAgain: NodeJS.Timeout | undefined;

  /** @param limited what the run's process is bound to */
  constructor(run: BoundedRun, limited: Limited, limits: ProcessLimits, log: Log) {
    this.#run = run;
    this.#limited = limited;
    this.#limits = limits;
    this.#log = log;
    this.#killedBefore = outOfMemoryKills(run.cgroup);
  }

  apply(pid: number): void {
    try {
      eachOfFamily(pid, (member) => this.#bound(member));
    } catch (error) {
      this.#notMoved(reasonOf(error));
    }
    if (this.#run.cgroup === undefined) this.#lookAgainIn(SLOW_FORK_MS, pid);
  }

  failed(what: 'cgroup' | 'limits', code: string): void {
    if (what === 'limits') this.#limits.cannotBeSet(`the kernel answered ${code}`);
    // A plugin that is removed loses its cgroup while its last run begins.
    else if (code !== 'ENOENT' && code !== 'ENODEV') this.#notMoved(`the kernel answered ${code}`);
  }

  kill(): void {
    const { cgroup } = this.#run;
    if (cgroup !== undefined) this.#attempt(() => killProcesses(cgroup.folder));
  }

  /** To be called when the run's process is gone, with its pid: ends what it has left in its cgroup. */
  end(pid: number, exit: CgroupEnd | undefined): BoundsEnd {
    clearTimeout(this.#lookAgain);
    const { cgroup } = this.#run;
    if (cgroup === undefined) return NOTHING_LEFT;
    const left = exit?.isCgroupEmpty === true ? [] : (this.#attempt(() => endLeft(pid, cgroup.folder)) ?? []);
    const outOfMemory = outOfMemoryKills(cgroup) - this.#killedBefore;
    return left.length === 0 && outOfMemory === 0 ? NOTHING_LEFT : { left, outOfMemory };
  }

  /** What was on its way when it was looked for has the old limits. */
  #lookAgainIn(ms: number, pid: number): void {
    this.#lookAgain = setTimeout(() => {
      eachOfFamily(pid, (member) => this.#limits.applyWhereMissed(member, this.#limited));
      if (ms < SLOWEST_FORK_MS) this.#lookAgainIn(ms * 2, pid);
    }, ms).unref();
  }

  /** False when the process is gone. */
  #bound(pid: number): boolean {
    const { cgroup } = this.#run;
    if (!this.#limits.apply(pid, this.#limited)) return false;
    // The move waits for a fork under way, which has the old limits; without one, that is given time to show.
    if (cgroup !== undefined) return moveProcess(cgroup.folder, pid);
    Atomics.wait(NOBODY_WAKES, 0, 0, FORK_MS);
    return true;
  }

  #attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#fails('whose processes could not be ended', reasonOf(error));
      return undefined;
    }
  }

  #notMoved(reason: string): void {
    this.#fails('into which its process could not be moved', reason);
  }

  #fails(what: string, reason: string): void {
    const { pluginName: plugin, namespace } = this.#run;
    this.#log.warn({ plugin, namespace }, `plugin ${plugin} runs without its cgroup, ${what}: ${reason}`);
  }
}

/** Ends what is in the cgroup of a process that is gone, and tells whom else than its own group that met. */
function endLeft(pid: number, folder: string): readonly number[] {
  const found = processesIn(folder);
  // Those of the process's own group have got a SIGKILL already.
  const left = found.filter((member) => ![pid, undefined].includes(groupOf(member)));
  if (found.length > 0) killProcesses(folder);
  return left;
}

/** Calls `bound` with a process, and then with what it has started; it answers whether to look for that. */
function eachOfFamily(pid: number, bound: (member: number) => boolean): void {
  const family = [pid];
  for (let next = 0; next < family.length && next < FAMILY_MAX; next += 1) {
    const member = family[next] ?? pid;
    if (bound(member)) family.push(...childrenOf(member));
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
