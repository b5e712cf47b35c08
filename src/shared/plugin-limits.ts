/** What a plugin may take up. Named like the keys of `[runner]` and of the registry's items; 0: no limit. */
export interface PluginLimits {
  /** Seconds of processor time of one process. */
  readonly cpuseconds: number;
  /** Bytes of address space of one process. */
  readonly addressspace: number;
  /** Open files of one process. */
  readonly openfiles: number;
  /** Bytes of one file that is written. */
  readonly filesize: number;
  /**
   * Processes and threads: of the plugin where its cgroup counts them, else of all that run as its user, which is what
   * the kernel counts.
   */
  readonly processes: number;
  /** From -20 (first served) to 19 (last); 0: as the agent. */
  readonly nice: number;
  /** Bytes of memory of all processes together, where there is a cgroup for it. */
  readonly memory: number;
  /** Processors that all processes together may keep busy, like 0.5, where there is a cgroup for it. */
  readonly cpus: number;
}

/** The controllers of cgroup v2 that limits need. */
export const CGROUP_CONTROLLERS = ['memory', 'pids', 'cpu'] as const;

/** One of them. */
export type CgroupController = (typeof CGROUP_CONTROLLERS)[number];

/** The cgroup of a plugin, whose limits are set already. */
export interface PluginCgroup {
  readonly folder: string;
  /** Those that are at work in it; without any it only holds the processes together. */
  readonly controllers: readonly CgroupController[];
}
