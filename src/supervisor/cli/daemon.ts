import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CodedError } from '../../shared/coded-error.js';
import type { DaemonMessage } from './daemon-messages.js';

/** The agent in the background, as it is when it is up. */
export type RunningDaemon = Extract<DaemonMessage, { readonly type: 'up' }>;

/**
 * Starts the agent in a session of its own, and waits until it is up or has failed.
 * @param file absolute path of the configuration
 * @param outputsFile absolute path of that of Golang output plugins, if there is one
 * @throws CodedError with the code and the sentence of what kept it from starting
 */
export async function startDaemon(file: string, outputsFile: string | undefined): Promise<RunningDaemon> {
  const program = fileURLToPath(new URL('./daemon-main.js', import.meta.url));
  // The channel is the only thing that ties it to this process, and it closes it when it is up.
  const files = ['-f', file, ...(outputsFile === undefined ? [] : ['-c', outputsFile])];
  const child = spawn(process.execPath, [...process.execArgv, program, ...files], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const stopChild = () => child.kill('SIGTERM');
  process.once('SIGINT', stopChild);
  process.once('SIGTERM', stopChild);
  try {
    return await firstWord(child);
  } finally {
    process.off('SIGINT', stopChild);
    process.off('SIGTERM', stopChild);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

function firstWord(child: ChildProcess): Promise<RunningDaemon> {
  return new Promise((resolve, reject) => {
    child.once('message', (message: DaemonMessage) => {
      if (message.type === 'up') resolve(message);
      else reject(new CodedError(message.code, message.message));
    });
    child.once('error', (error) =>
      reject(new CodedError('failed', `the agent could not be started: ${error.message}`)),
    );
    // The channel ends after the last message in it, so nothing that the agent said gets lost.
    const ended = once(child, 'exit');
    child.once('disconnect', async () => {
      const [code, signal] = await ended;
      const how = signal === null ? `with exit status ${code}` : `by ${signal}`;
      const hint = 'start it without --daemon to see why, or look into agent.log in [log] logdir';
      reject(new CodedError('failed', `the agent ended ${how} before it was up; ${hint}`));
    });
  });
}
