import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, realpathSync } from 'node:fs';
import type { Readable } from 'node:stream';
import spawn from 'cross-spawn';
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import type { PluginUser } from '../../shared/messages.js';
import { signalGroup } from '../../shared/process-group.js';
import { type ProgramProblem, programProblem } from './program-file.js';
import { endStrays, outputNames } from './stray-processes.js';

/** What to execute, where and as whom. No shell takes part. */
export interface ProcessRequest {
  /** Absolute path of the program. */
  readonly file: string;
  readonly args: readonly string[];
  /** Working folder. */
  readonly folder: string;
  /** The whole environment: nothing of the agent's own is added. */
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined: the agent's own user. */
  readonly user: PluginUser | undefined;
}

/** How a process ended: by itself with a code, or by a signal. */
export interface ProcessExit {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

/** A running process, leader of a session and a process group of its own, its stdin empty. */
export interface StartedProcess {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** When the process itself is gone. What it left behind in its group has got a SIGKILL by then. */
  readonly exited: Promise<ProcessExit>;
  /** Sends a signal to the process and all of its group; does nothing once `exited` has resolved. */
  killGroup(signal: NodeJS.Signals): void;
  /** Ends what left the group and holds stdout or stderr, or stays in the folder, as far as found; returns the pids. */
  endStrays(): Promise<readonly number[]>;
}

/** What came of starting a process. */
export type ProcessStart =
  | { readonly type: 'started'; readonly process: StartedProcess }
  | ({ readonly type: 'failed' } & ProgramProblem);

/** Starts a process. That it cannot be started is a value, with a sentence that says why. */
export async function startProcess(request: ProcessRequest): Promise<ProcessStart> {
  const problem = programProblem(request.file, request.folder);
  if (problem !== undefined) return { type: 'failed', ...problem };
  try {
    const child = spawn(request.file, [...request.args], {
      cwd: request.folder,
      // Node adds its own NODE_V8_COVERAGE to any environment that does not name it.
      env: { NODE_V8_COVERAGE: undefined, ...request.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...(request.user && { uid: request.user.uid, gid: request.user.gid }),
    });
    if (child.pid !== undefined)
      return { type: 'started', process: startedProcess(child, child.pid, request) };
    const [error] = await once(child, 'error');
    return { type: 'failed', ...startProblem(error, request) };
  } catch (error) {
    return { type: 'failed', ...startProblem(error, request) };
  }
}

function startedProcess(child: ChildProcess, pid: number, request: ProcessRequest): StartedProcess {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error(`process ${pid} has no output to read`);
  const { environment, user } = request;
  const outputs = outputNames(pid);
  const folder = realFolder(request.folder);
  let isGone = false;
  const killGroup = (signal: NodeJS.Signals): void => {
    if (!isGone) signalGroup(pid, signal);
  };
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => {
      // At once: the number of an empty group may be given to somebody else later.
      killGroup('SIGKILL');
      isGone = true;
      resolve({ code: code ?? undefined, signal: signal ?? undefined });
    });
  });
  return {
    pid,
    stdout,
    stderr,
    exited,
    killGroup,
    endStrays: () => endStrays({ outputs, folder, environment, uid: user?.uid ?? process.getuid?.() ?? 0 }),
  };
}

/** A plugin that deletes its own folder may have done so already. */
function realFolder(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

function startProblem(error: unknown, { file, folder, user }: ProcessRequest): ProgramProblem {
  switch (codeOf(error)) {
    case 'ENOENT':
      if (!existsSync(folder)) return { value: 127, problem: `its folder ${folder} does not exist` };
      if (!existsSync(file)) return { value: 127, problem: `${file} does not exist` };
      return { value: 127, problem: `the interpreter that ${file} needs does not exist` };
    case 'ENOTDIR':
      return { value: 127, problem: `its folder ${folder} is not a folder` };
    case 'EACCES':
      return {
        value: 126,
        problem: `${user?.name ?? "the agent's user"} may not execute ${file}: it and every folder above need the right to execute`,
      };
    case 'EPERM':
      return {
        value: 126,
        problem: `the agent may not start it as ${user?.name ?? 'its own user'}: that takes root`,
      };
    case 'E2BIG':
      return { value: 126, problem: 'its parameters and environment are too long for the system' };
    case 'EAGAIN':
    case 'ENOMEM':
    case 'EMFILE':
    case 'ENFILE':
      return {
        value: 126,
        problem: `the system is out of processes, memory or descriptors (${reasonOf(error)})`,
      };
    default:
      return { value: 126, problem: reasonOf(error) };
  }
}
