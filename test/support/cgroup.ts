import { accessSync, constants, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { killProcesses } from '../../src/shared/cgroup-processes.js';
import { CGROUP_CONTROLLERS } from '../../src/shared/plugin-limits.js';
import { isCgroup, ownCgroup } from '../../src/supervisor/cgroups/own-cgroup.js';
import { removeCgroup } from '../../src/supervisor/cgroups/plugin-cgroups.js';

/** Why there can be no cgroups here; undefined where there can. */
export const NO_CGROUPS: string | undefined = whyNot();

/**
 * The nearest cgroup from the own one upwards that gives its children all controllers: the own one, which has processes
 * in it, can only do so where it is the root of all.
 */
const CONTROLLING: string | undefined = NO_CGROUPS === undefined ? controlling() : undefined;

/** Why no cgroup of a test can have the controllers here; undefined where it can. */
export const NO_CONTROLLERS: string | undefined =
  NO_CGROUPS ??
  (CONTROLLING === undefined
    ? `the controllers ${CGROUP_CONTROLLERS.join(', ')} of cgroup v2 are not to be had here`
    : undefined);

let made = 0;

/** An empty cgroup (v2) below that of the test, which is removed after it. */
export function testCgroup(test: Pick<TestContext, 'after'>): string {
  return cgroupIn(ownCgroup(), test);
}

/** The same with the controllers at hand for those below it; wherever that is. */
export function controlledCgroup(test: Pick<TestContext, 'after'>): string {
  return cgroupIn(CONTROLLING, test);
}

function cgroupIn(parent: string | undefined, test: Pick<TestContext, 'after'>): string {
  if (parent === undefined) throw new Error('no cgroup v2');
  made += 1;
  const folder = join(parent, `agent-test-${process.pid}-${made}`);
  mkdirSync(folder);
  test.after(() => removeCgroup(folder));
  return folder;
}

/** Removes what an agent left that was killed; its log says where that is. */
export async function removeCgroupsNamedIn(log: string): Promise<void> {
  for (const [, folder = ''] of log.matchAll(
    /plugins run in cgroups below ([^,"\s]+\/agent-[0-9a-f]{12}-\d+)/g,
  )) {
    killProcesses(folder);
    await removeCgroup(folder);
  }
}

function controlling(): string | undefined {
  for (let folder = ownCgroup() ?? '/'; isCgroup(folder); folder = dirname(folder)) {
    const given = readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8').trim().split(' ');
    if (CGROUP_CONTROLLERS.every((name) => given.includes(name)) && isWritable(folder)) return folder;
  }
  return undefined;
}

function isWritable(folder: string): boolean {
  try {
    // For a process to be moved there.
    accessSync(join(folder, 'cgroup.procs'), constants.W_OK);
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function whyNot(): string | undefined {
  const own = ownCgroup();
  if (own === undefined) return 'no cgroup v2 is mounted';
  try {
    accessSync(join(own, 'cgroup.procs'), constants.W_OK);
    const probe = join(own, `agent-test-${process.pid}-probe`);
    mkdirSync(probe);
    rmdirSync(probe);
    return undefined;
  } catch {
    return `${own} cannot be written`;
  }
}
