import spawn from 'cross-spawn';
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import { signalGroup } from '../../shared/process-group.js';
import { GIT_SETTINGS } from './git-environment.js';

/** How a git command ended by itself. */
export interface GitResult {
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Its first 64 KiB. */
  readonly stdout: string;
  /** The last 4 KiB of what it said. */
  readonly stderrEnd: string;
}

/** How git is run. */
export interface GitCommand {
  /** Whole environment of git. */
  readonly environment: Readonly<Record<string, string>>;
  readonly workingFolder: string;
  /** Ends git and everything it started; the promise then rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

const STDOUT_BYTES = 65_536;
const STDERR_BYTES = 4096;
/** Time to clean up between SIGTERM and SIGKILL, and for the pipes to end after git has. */
const GRACE_MS = 2000;

/**
 * Runs git in a process group of its own, so that its helpers (ssh, remote-https, index-pack) end with it.
 * Throws CodedError `git-missing` when there is no git.
 */
export function runGit(args: readonly string[], command: GitCommand): Promise<GitResult> {
  const { signal } = command;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = spawn('git', [...GIT_SETTINGS, ...args], {
      cwd: command.workingFolder,
      env: { ...command.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let stdout: Buffer = Buffer.alloc(0);
    let stderr: Buffer = Buffer.alloc(0);
    let timer: NodeJS.Timeout | undefined;
    const endGroup = (name: 'SIGTERM' | 'SIGKILL') => {
      if (child.pid !== undefined) signalGroup(child.pid, name);
    };
    const stop = () => {
      endGroup('SIGTERM');
      timer = setTimeout(() => endGroup('SIGKILL'), GRACE_MS);
    };
    const settled = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    };
    signal.addEventListener('abort', stop, { once: true });
    child.stdout?.on('data', (chunk: Buffer) => {
      if (stdout.length < STDOUT_BYTES) stdout = Buffer.concat([stdout, chunk]).subarray(0, STDOUT_BYTES);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = lastWholeLines(Buffer.concat([stderr, chunk]));
    });
    child.once('error', (error) => {
      settled();
      reject(startProblem(error));
    });
    child.once('exit', () => {
      clearTimeout(timer);
      if (signal.aborted) endGroup('SIGKILL');
      // Whoever still holds the pipes was left behind by git.
      timer = setTimeout(() => {
        endGroup('SIGKILL');
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, GRACE_MS);
    });
    child.once('close', (exitCode, endedBy) => {
      settled();
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      resolve({
        exitCode: exitCode ?? undefined,
        signal: endedBy ?? undefined,
        stdout: stdout.toString('utf8'),
        stderrEnd: stderr.toString('utf8'),
      });
    });
  });
}

/** A line that is cut off could begin inside a password, which nobody recognises then. */
function lastWholeLines(output: Buffer): Buffer {
  if (output.length <= STDERR_BYTES) return output;
  const end = output.subarray(-STDERR_BYTES);
  return end.subarray(end.indexOf(0x0a) + 1);
}

/** Without the error as cause: it lists the arguments, and an address may hold a password. */
function startProblem(error: Error): CodedError {
  if (codeOf(error) !== 'ENOENT') {
    return new CodedError('git-start', `git could not be started: ${reasonOf(error)}`);
  }
  return new CodedError('git-missing', "git was not found; install it, or put it on the agent's PATH");
}
