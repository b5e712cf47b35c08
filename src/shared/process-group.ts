import { codeOf } from './coded-error.js';

/**
 * Sends a signal to a process group, by the pid of its leader. False when that reaches nobody: the group is gone, or
 * only programs that changed their user (set-user-id) are left in it, which are beyond this process's reach.
 */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-pid, signal);
  } catch (error) {
    if (codeOf(error) === 'ESRCH' || codeOf(error) === 'EPERM') return false;
    throw error;
  }
}
