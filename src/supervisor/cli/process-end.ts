import { mayHaveHungThreads } from '../host/inspector-threads.js';

/**
 * Ends the process. `process.exit` waits for every thread, and one that hangs at a file system that does not answer
 * may keep it waiting for ever: then the system ends the process, which needs no thread's consent.
 */
export async function endProcess(exitCode: number): Promise<never> {
  if (!mayHaveHungThreads()) process.exit(exitCode);
  // Whoever wants to clean up at the end of the process does it now.
  process.emit('exit', exitCode);
  try {
    const { default: koffi } = await import('koffi');
    koffi.load(null).func('void _exit(int status)')(exitCode);
  } finally {
    // Where C cannot be called: with another exit status, but ended.
    process.kill(process.pid, 'SIGKILL');
  }
  return process.exit(exitCode);
}
