import { cLibrary } from '../../shared/native/c-library.js';
import { mayHaveHungThreads } from '../host/inspector-threads.js';

/**
 * Ends the process. `process.exit` waits for every thread, and one that hangs at a file system that does not answer
 * may keep it waiting for ever: then the system ends the process, which asks no thread.
 */
export function endProcess(exitCode: number): never {
  if (!mayHaveHungThreads()) process.exit(exitCode);
  // Whoever wants to clean up at the end of the process does it now.
  process.emit('exit', exitCode);
  cLibrary().library?.functions._exit(exitCode);
  // Where C cannot be called: with another exit status, but ended.
  process.kill(process.pid, 'SIGKILL');
  return process.exit(exitCode);
}
