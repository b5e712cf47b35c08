import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import spawn from 'cross-spawn';
import { signalGroup } from '../../shared/process-group.js';
import { programProblem } from './program-file.js';
import { startProblem } from './start-problem.js';
import type {
  ProcessEngine,
  ProcessExit,
  ProcessRequest,
  ProcessStart,
  StartedProcess,
} from './started-process.js';
import { endStrays, outputNames, realFolder } from './stray-processes.js';

/** Starts processes with what Node.js brings: everywhere, and at a price that grows with the agent's memory. */
export const crossSpawnEngine: ProcessEngine = { name: 'cross-spawn', start };

async function start(request: ProcessRequest): Promise<ProcessStart> {
  // The C library's exec, which Node.js uses, hands a file that the kernel does not understand to a shell.
  const problem = programProblem(request.file, request.folder);
  if (problem !== undefined) return { type: 'failed', ...problem, isShortage: false };
  try {
    const startedAt = performance.now();
    const child = spawn(request.file, [...request.args], {
      cwd: request.folder,
      // Node adds its own NODE_V8_COVERAGE to any environment that does not name it.
      env: { NODE_V8_COVERAGE: undefined, ...request.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...(request.user && { uid: request.user.uid, gid: request.user.gid }),
    });
    if (child.pid !== undefined) {
      request.launched?.(child.pid);
      request.bounds?.apply(child.pid);
      return { type: 'started', process: startedProcess(child, child.pid, request, startedAt) };
    }
    const [error] = await once(child, 'error');
    return { type: 'failed', ...startProblem(error, request) };
  } catch (error) {
    return { type: 'failed', ...startProblem(error, request) };
  }
}

function startedProcess(
  child: ChildProcess,
  pid: number,
  request: ProcessRequest,
  startedAt: number,
): StartedProcess {
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
      resolve({ code: code ?? undefined, signal: signal ?? undefined, usage: undefined });
    });
  });
  return {
    pid,
    startedAt,
    exited,
    outputsEnded: Promise.all([closed(stdout), closed(stderr)]).then(() => undefined),
    listen: (listener) => {
      stdout.on('data', (chunk: Buffer) => listener.stdout(chunk));
      stderr.on('data', (chunk: Buffer) => listener.stderr(chunk));
    },
    pauseStdout: () => void stdout.pause(),
    resumeStdout: () => void stdout.resume(),
    closeStdout: () => void stdout.destroy(),
    closeOutputs: () => {
      stdout.destroy();
      stderr.destroy();
    },
    killGroup: (signal) => {
      killGroup(signal);
      if (signal === 'SIGKILL') request.bounds?.kill();
    },
    endStrays: () => endStrays({ outputs, folder, environment, uid: user?.uid ?? process.getuid?.() ?? 0 }),
  };
}

function closed(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve);
    // An output that breaks off has ended; what came before counts.
    stream.once('error', () => stream.destroy());
  });
}
