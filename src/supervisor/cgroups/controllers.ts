import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processesIn } from '../../shared/cgroup-processes.js';
import { codeOf } from '../../shared/coded-error.js';
import { CGROUP_CONTROLLERS, type CgroupController } from '../../shared/plugin-limits.js';
import { makeCgroup } from './plugin-cgroups.js';

/** The cgroup below that of the plugins that the agent itself moves to, where it has to make room. */
export const AGENT_LEAF = 'agent';

/**
 * Turns on the controllers for the cgroups in `base`, as far as `parent` has them to give. A cgroup whose children have
 * controllers must not hold processes itself: where this process is alone in `parent` it moves to a cgroup in `base`.
 * @returns those that are on
 */
export function enableControllers(parent: string, base: string): readonly CgroupController[] {
  const offered = namesIn(join(parent, 'cgroup.controllers'));
  if (offered.length === 0) return [];
  for (const controller of offered) {
    if (turnOn(parent, controller)) continue;
    if (!makeRoom(parent, base)) break;
    turnOn(parent, controller);
  }
  for (const controller of offered) turnOn(base, controller);
  return namesIn(join(base, 'cgroup.subtree_control'));
}

/** Moves this process back where it has moved, so that its cgroup can be removed; says whether it is out of there. */
export function moveBack(parent: string, base: string): boolean {
  if (!processesIn(join(base, AGENT_LEAF)).includes(process.pid)) return true;
  for (const folder of [base, parent]) {
    for (const controller of namesIn(join(folder, 'cgroup.subtree_control'))) {
      attempt(() => writeFileSync(join(folder, 'cgroup.subtree_control'), `-${controller}`, { flag: 'r+' }));
    }
  }
  return attempt(() => writeFileSync(join(parent, 'cgroup.procs'), String(process.pid), { flag: 'r+' }));
}

function turnOn(folder: string, controller: CgroupController): boolean {
  return attempt(() =>
    writeFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`, { flag: 'r+' }),
  );
}

function makeRoom(parent: string, base: string): boolean {
  const inside = processesIn(parent);
  if (inside.length !== 1 || inside[0] !== process.pid) return false;
  const leaf = join(base, AGENT_LEAF);
  makeCgroup(leaf);
  return attempt(() => writeFileSync(join(leaf, 'cgroup.procs'), String(process.pid), { flag: 'r+' }));
}

function namesIn(file: string): readonly CgroupController[] {
  try {
    const words = readFileSync(file, 'utf8').trim().split(' ');
    return CGROUP_CONTROLLERS.filter((controller) => words.includes(controller));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** False when the kernel will not: others have the controller, or there are processes in the way. */
function attempt(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  }
}
