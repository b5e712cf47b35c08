import type { PluginUser } from '../../shared/messages.js';
import type { EndSignal } from '../../shared/native/end-signal.js';
import type { ResourceUsage } from '../../shared/native/process-calls.js';
import type { OwnersOf } from './file-owners.js';
import type { ResourceLimit } from './limits/resource-limits.js';
import type { ProgramProblem } from './program-file.js';

/**
 * What to execute, where, as whom and within which bounds. No shell takes part. Who starts the same again does so with the
 * same object: engines may remember what they made of it.
 */
export interface Program {
  /** Absolute path of the program. */
  readonly file: string;
  readonly args: readonly string[];
  /** Working folder. */
  readonly folder: string;
  /** The whole environment: nothing of the agent's own is added. */
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined: the agent's own user. */
  readonly user: PluginUser | undefined;
  /** Of what is not named here, those of the agent. */
  readonly limits: readonly ResourceLimit[];
  /** From -20 (first served) to 19 (last); 0: as the agent. */
  readonly nice: number;
  /** Folder of the cgroup; undefined: that of the agent. */
  readonly cgroup: string | undefined;
}

/** What to start, and who is to know of it. */
export interface ProcessRequest {
  readonly program: Program;
  /** Undefined: there are no bounds, or nobody cares for them. */
  readonly bounds?: ProcessBounds;
  /** Called as soon as there is a process, of which it may turn out later that its program cannot be started. */
  readonly launched?: (pid: number) => void;
}

/** Keeps a process within its bounds. None of the functions throws: what cannot be bounded runs all the same. */
export interface ProcessBounds {
  /** For engines that start a process without them: sets them for one that runs already, and for what it has started. */
  apply(pid: number): void;
  /** Ends everything in the cgroup, whatever it has done to get away; nothing without one. */
  kill(): void;
  /** For engines that start a process within them: says which could not be set. */
  failed(what: 'cgroup' | 'limits', code: string): void;
}

/** How a process ended: by itself with a code, or by a signal. */
export interface ProcessExit {
  readonly code: number | undefined;
  readonly signal: EndSignal | undefined;
  /** Undefined where the engine does not learn of it. */
  readonly usage: ResourceUsage | undefined;
  /** True: when it ended there was nothing else in its cgroup; otherwise that was not looked at, or there was. */
  readonly isCgroupEmpty?: boolean | undefined;
}

/** Who hears what a process prints. A chunk is only good during the call: what is kept of it must be copied. */
export interface OutputListener {
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
}

/** A running process, leader of a session and a process group of its own, its stdin empty. */
export interface StartedProcess {
  readonly pid: number;
  /** On the clock of `performance.now()`: before its program began, as it may be over when the start comes back. */
  readonly startedAt: number;
  /** Undefined until the process itself is gone. */
  readonly exit: ProcessExit | undefined;
  /** When the process itself is gone. What it left behind in its group has got a SIGKILL by then. */
  readonly exited: Promise<ProcessExit>;
  /** Whether stdout and stderr are at their ends, or were closed here. */
  readonly areOutputsOver: boolean;
  /** When stdout and stderr are at their ends, or were closed here. */
  readonly outputsEnded: Promise<void>;
  /** Sets who hears the outputs; to be called once, in the same turn in which the process was started. */
  listen(listener: OutputListener): void;
  /** Reads no more of stdout for now, so that the process waits when it prints on. */
  pauseStdout(): void;
  resumeStdout(): void;
  /** Reads no more; a process that prints on gets SIGPIPE. */
  closeStdout(): void;
  /** The same for both outputs. */
  closeOutputs(): void;
  /**
   * Sends a signal to the process and all of its group; does nothing once `exited` has resolved. SIGKILL ends all of its
   * cgroup, too.
   */
  killGroup(signal: NodeJS.Signals): void;
  /** Ends what left the group and holds stdout or stderr, or stays in the folder, as far as found; returns the pids. */
  endStrays(): Promise<readonly number[]>;
}

/** What came of starting a process. */
export type ProcessStart =
  | { readonly type: 'started'; readonly process: StartedProcess }
  | ({ readonly type: 'failed' } & StartProblem);

/** Why a process could not be started. */
export interface StartProblem extends ProgramProblem {
  /** True when the system was out of processes, memory or descriptors: it may work later. */
  readonly isShortage: boolean;
}

/** A way to start processes. */
export interface ProcessEngine {
  readonly name: 'launcher' | 'posix_spawn' | 'cross-spawn';
  /** Starts a process. That it cannot be started is a value, with a sentence that says why. */
  start(request: ProcessRequest): Promise<ProcessStart>;
  /** Looks whose files are, where it can do so faster than Node.js. */
  readonly owners?: OwnersOf;
}
