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
  const { program } = request;
  // The C library's exec, which Node.js uses, hands a file that the kernel does not understand to a shell.
  const problem = programProblem(program.file, program.folder);
  if (problem !== undefined) return { type: 'failed', ...problem, isShortage: false };
  try {
    const startedAt = performance.now();
    const child = spawn(program.file, [...program.args], {
      cwd: program.folder,
      // Node adds its own NODE_V8_COVERAGE to any environment that does not name it.
      env: { NODE_V8_COVERAGE: undefined, ...program.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...(program.user && { uid: program.user.uid, gid: program.user.gid }),
    });
    if (child.pid !== undefined) {
      request.launched?.(child.pid);
      request.bounds?.apply(child.pid);
      return { type: 'started', process: startedProcess(child, child.pid, request, startedAt) };
    }
    const [error] = await once(child, 'error');
    return { type: 'failed', ...startProblem(error, program) };
  } catch (error) {
    return { type: 'failed', ...startProblem(error, program) };
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
  const { folder, environment, user } = request.program;
  const outputs = outputNames(pid);
  const runFolder = realFolder(folder);
  let exit: ProcessExit | undefined;
  const killGroup = (signal: NodeJS.Signals): void => {
    if (exit === undefined) signalGroup(pid, signal);
  };
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => {
      // At once: the number of an empty group may be given to somebody else later.
      killGroup('SIGKILL');
      exit = { code: code ?? undefined, signal: signal ?? undefined, usage: undefined };
      resolve(exit);
    });
  });
  return {
    pid,
    startedAt,
    get exit() {
      return exit;
    },
    exited,
    get areOutputsOver() {
      return stdout.closed && stderr.closed;
    },
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
    endStrays: () =>
      endStrays({ outputs, folder: runFolder, environment, uid: user?.uid ?? process.getuid?.() ?? 0 }),
  };
}

function closed(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve);
    // An output that breaks off has ended; what came before counts.
    stream.once('error', () => stream.destroy());
  });
}
