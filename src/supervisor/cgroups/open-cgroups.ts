import { createHash } from 'node:crypto';
import { accessSync, constants, mkdirSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import { enableControllers, moveBack } from './controllers.js';
import { isCgroup, ownCgroup } from './own-cgroup.js';
import { makeCgroup, PluginCgroups, removeCgroup, removeEmptyCgroup } from './plugin-cgroups.js';

/** The cgroups of an agent that is up. */
export interface OpenCgroups {
  readonly plugins: PluginCgroups;
  /** Ends what is in them, removes them, and the agent's own place among them. */
  close(): Promise<void>;
}

/**
 * Makes the place for the plugins' cgroups, and removes what an agent left there that was killed. Where that cannot be,
 * plugins run without: that is said, and no error.
 * @param setting `[runner] cgroup`: "auto" for below the agent's own cgroup, "off", or the path of another one
 * @param rundir no two agents that run have the same: gives the place its name
 */
export async function openCgroups(
  setting: string,
  rundir: string,
  log: Log,
): Promise<OpenCgroups | undefined> {
  if (setting === 'off') return undefined;
  try {
    const parent = parentOf(setting);
    const agent = createHash('sha256').update(`${hostname()}\0${rundir}`).digest('hex').slice(0, 12);
    await removeLeftovers(parent, agent);
    const base = join(parent, `agent-${agent}-${process.pid}`);
    mkdirSync(base);
    const controllers = enableControllers(parent, base);
    const having = controllers.length === 0 ? 'without controllers' : `with ${controllers.join(', ')}`;
    log.info({ folder: base, controllers }, `plugins run in cgroups below ${base}, ${having}`);
    const plugins = new PluginCgroups(base, controllers, log);
    return { plugins, close: () => closeAll(plugins, parent, base) };
  } catch (error) {
    const sentence = `plugins run without cgroups: ${reasonOf(error)}`;
    if (setting === 'auto') log.info({}, sentence);
    else
      log.error({}, `${sentence}; change [runner] cgroup, or give the agent's user the right to write there`);
    return undefined;
  }
}

const BASE = /^agent-([0-9a-f]{12})-(\d+)$/;

/** Ends and removes what a killed agent of the same name left; of others that are gone only what is empty. */
async function removeLeftovers(parent: string, agent: string): Promise<void> {
  for (const name of readdirSync(parent)) {
    const [, owner, pid] = BASE.exec(name) ?? [];
    if (owner === undefined) continue;
    if (owner === agent) await removeCgroup(join(parent, name));
    else if (!isThere(Number(pid))) removeEmptyCgroup(join(parent, name));
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

async function closeAll(plugins: PluginCgroups, parent: string, base: string): Promise<void> {
  await plugins.close();
  // What could not move back must not end itself: it leaves its place to the next start.
  if (moveBack(parent, base)) await removeCgroup(base);
}

/** A process can only be moved by who may write to the cgroup above both places. */
function parentOf(setting: string): string {
  const parent = setting === 'auto' ? ownCgroup() : setting;
  if (parent === undefined) throw new CodedError('cgroup', 'the machine has no cgroup v2');
  if (setting !== 'auto') makeCgroup(parent);
  if (!isCgroup(parent)) throw new CodedError('cgroup', `${parent} is no folder of cgroup v2`);
  accessSync(join(parent, 'cgroup.procs'), constants.W_OK);
  return parent;
}
