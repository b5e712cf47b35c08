import { accessSync, constants, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { killProcesses } from '../../src/shared/cgroup-processes.js';
import { ownCgroup } from '../../src/supervisor/cgroups/own-cgroup.js';
import { removeCgroup } from '../../src/supervisor/cgroups/plugin-cgroups.js';

/** Why there can be no cgroups here; undefined where there can. */
export const NO_CGROUPS: string | undefined = whyNot();

let made = 0;

/** An empty cgroup (v2) below that of the test, which is removed after it. */
export function testCgroup(test: Pick<TestContext, 'after'>): string {
  const own = ownCgroup();
  if (own === undefined) throw new Error('no cgroup v2');
  made += 1;
  const folder = join(own, `agent-test-${process.pid}-${made}`);
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
