import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import { counted } from '../../shared/counted.js';
import type { Log } from '../../shared/log.js';

/**
 * Ends, with SIGKILL, what plugins of an agent that was killed still run: nobody bounds it any more, and a plugin that
 * runs all the time would run twice. Each such process has in its environment where the plugin keeps its state.
 * @param storeFolder of all plugins of this agent
 * @param pluginsUid whom plugins run as; only processes of that user are looked at
 */
export function endLeftProcesses(storeFolder: string, pluginsUid: number | undefined, log: Log): void {
  const uid = pluginsUid ?? process.geteuid?.();
  const left = processIds().filter((pid) => pid !== process.pid && belongsTo(pid, uid, storeFolder));
  for (const pid of left) end(pid, log);
  if (left.length === 0) return;
  log.warn(
    { pids: left },
    `${counted(left.length, 'process of a plugin was', 'processes of plugins were')} left running by an agent that was killed, and ended now`,
  );
}

/** None where the kernel does not tell. */
function processIds(): readonly number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

/** Processes end while they are looked at, and not all may be looked at: those are nobody's. */
function belongsTo(pid: number, uid: number | undefined, storeFolder: string): boolean {
  try {
    if (statSync(`/proc/${pid}`).uid !== uid) return false;
    const environment = `\0${readFileSync(`/proc/${pid}/environ`, 'utf8')}`;
    return environment.includes(`\0AGENT_STATE=${join(storeFolder, '/')}`) && sees(pid, storeFolder);
  } catch {
    return false;
  }
}

/** An agent in a container has plugins that look the same from outside, and another folder under the same name. */
function sees(pid: number, folder: string): boolean {
  const own = statSync(folder, { bigint: true });
  const seen = statSync(`/proc/${pid}/root${folder}`, { bigint: true });
  return own.dev === seen.dev && own.ino === seen.ino;
}

function end(pid: number, log: Log): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') {
      log.warn({ pid }, `process ${pid} of a plugin cannot be ended: ${reasonOf(error)}`);
    }
  }
}
