import { mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { killProcesses } from '../../shared/cgroup-processes.js';
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import type { CgroupController, PluginCgroup, PluginLimits } from '../../shared/plugin-limits.js';

/** In front of a plugin's key; with it no name is like a file of the kernel's. */
const PREFIX = 'plugin:';
/** A cgroup can be removed when its last process is gone, which takes a moment after SIGKILL. */
const REMOVAL_TRIES = 100;
const REMOVAL_TRY_MS = 20;
/** Length of the period in which the processor time of `cpus` is counted, in microseconds. */
const CPU_PERIOD_US = 100_000;

/** The cgroups of the plugins, one each: made at a plugin's first run, kept, and removed with the plugin. */
export class PluginCgroups {
  readonly #base: string;
  readonly #controllers: readonly CgroupController[];
  readonly #log: Log;
  /** Limits as they stand in the cgroup of each plugin, by its key. */
  readonly #made = new Map<string, string>();
  /** Plugins whose cgroup could not be made; said once each. */
  readonly #failed = new Set<string>();
  readonly #removals = new Set<Promise<void>>();

  /**
   * @param base an empty cgroup of this agent's own
   * @param controllers those that are on for the cgroups in it
   */
  constructor(base: string, controllers: readonly CgroupController[], log: Log) {
    this.#base = base;
    this.#controllers = controllers;
    this.#log = log;
  }

  /** The cgroup for a run, its limits set; undefined, logged once, when it cannot be made. */
  cgroupFor(key: string, limits: PluginLimits): PluginCgroup | undefined {
    const folder = this.#folderOf(key);
    const settings = settingsOf(limits, this.#controllers);
    const wanted = settings.map(([file, value]) => `${file}=${value}`).join();
    try {
      if (this.#made.get(key) !== wanted) {
        makeCgroup(folder);
        for (const [file, value] of settings) writeSetting(join(folder, file), value);
        this.#made.set(key, wanted);
        this.#failed.delete(key);
      }
      return { folder, controllers: this.#controllers };
    } catch (error) {
      this.#warnOnce(key, `plugin ${key} runs without a cgroup: ${reasonOf(error)}`);
      return undefined;
    }
  }

  /** Ends whatever is left of a plugin's run. */
  kill(key: string): void {
    if (!this.#made.has(key)) return;
    try {
      killProcesses(this.#folderOf(key));
    } catch (error) {
      this.#log.warn({}, `the processes of plugin ${key} could not be ended: ${reasonOf(error)}`);
    }
  }

  /** Ends what is in the cgroup of a plugin that is gone, and removes it. */
  remove(key: string): void {
    if (!this.#made.delete(key)) return;
    const isNew = () => this.#made.has(key);
    const removal = removeCgroup(this.#folderOf(key), isNew).catch((error: unknown) => {
      this.#log.warn({}, `the cgroup of plugin ${key} stays until the next start: ${reasonOf(error)}`);
    });
    this.#removals.add(removal);
    void removal.finally(() => this.#removals.delete(removal));
  }

  /** Ends what is left in any of them, and removes them all. */
  async close(): Promise<void> {
    for (const key of [...this.#made.keys()]) this.remove(key);
    await Promise.all(this.#removals);
  }

  #folderOf(key: string): string {
    return join(this.#base, PREFIX + key.replaceAll('/', ':'));
  }

  #warnOnce(key: string, sentence: string): void {
    if (this.#failed.has(key)) return;
    this.#failed.add(key);
    this.#log.warn({}, sentence);
  }
}

/** One that is there already stays. Never what is missing above it: in some places that would be tried without end. */
export function makeCgroup(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/**
 * Ends everything in a cgroup and those below it, and removes them. One that is not there is no error.
 * @param isWanted true: it is needed again, and left as it is
 */
export async function removeCgroup(folder: string, isWanted: () => boolean = () => false): Promise<void> {
  for (let attempt = 1; !isWanted(); attempt += 1) {
    killProcesses(folder);
    try {
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory()) await removeCgroup(join(folder, entry.name));
      }
      if (isWanted()) return;
      rmdirSync(folder);
      return;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      if (codeOf(error) !== 'EBUSY' || attempt === REMOVAL_TRIES) throw error;
    }
    await sleep(REMOVAL_TRY_MS);
  }
}

/** Removes a cgroup and those in it, as far as there are no processes in them and nobody minds. */
export function removeEmptyCgroup(folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) rmdirSync(join(folder, entry.name));
    }
    rmdirSync(folder);
  } catch (error) {
    // In use, gone already, or somebody else's.
    if (codeOf(error) === undefined) throw error;
  }
}

function settingsOf(
  { memory, processes, cpus }: PluginLimits,
  controllers: readonly CgroupController[],
): readonly (readonly [file: string, value: string])[] {
  const settings: readonly (readonly [CgroupController, string, string])[] = [
    ['memory', 'memory.max', memory === 0 ? 'max' : String(memory)],
    // What may not be in memory must not go to the swap space instead.
    ['memory', 'memory.swap.max', memory === 0 ? 'max' : '0'],
    ['memory', 'memory.oom.group', '1'],
    ['pids', 'pids.max', processes === 0 ? 'max' : String(processes)],
    ['cpu', 'cpu.max', `${cpus === 0 ? 'max' : Math.ceil(cpus * CPU_PERIOD_US)} ${CPU_PERIOD_US}`],
  ];
  return settings.filter(([controller]) => controllers.includes(controller)).map(([, ...setting]) => setting);
}

/** Some kernels have not all of them: no swap space, no groups of processes to end together. */
function writeSetting(file: string, value: string): void {
  const isOptional = /swap|oom/.test(file.slice(file.lastIndexOf('/')));
  try {
    writeFileSync(file, value, isOptional ? { flag: 'r+' } : {});
  } catch (error) {
    if (!isOptional || codeOf(error) !== 'ENOENT') throw error;
  }
}
