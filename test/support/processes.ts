import { readdirSync, readFileSync } from 'node:fs';

/** True while the process lives; one that has ended and only waits to be reaped does not. */
export function isAlive(pid: number): boolean {
  const state = statFields(pid)?.[0];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** The pids of the living processes of a process group. */
export function groupMembers(group: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && isAlive(pid) && Number(statFields(pid)?.[2]) === group);
}

/** What stands behind the program's name in `/proc/<pid>/stat`: state, parent, group, session, … */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** The pids of the living processes that were started with a variable in their environment. */
export function processesWithVariable(name: string, value: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(
      (pid) => Number.isInteger(pid) && isAlive(pid) && environmentOf(pid).includes(`${name}=${value}`),
    );
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/**
 * Lines of a shell plugin, for after `setsid … &`: waits until that has a session of its own. A plugin that ended
 * before would take it along with its group.
 */
export const UNTIL_IN_OWN_SESSION = 'while [ "$(cut -d " " -f 6 "/proc/$!/stat")" = $$ ]; do :; done';
