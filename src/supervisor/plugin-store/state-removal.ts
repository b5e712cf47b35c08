import { randomBytes } from 'node:crypto';
import { chmod, lstat, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import { removeForeignTree } from './foreign-tree.js';
import { LEAVING } from './plugin-place.js';

/**
 * Takes the state folder of a plugin out of its place, in one step.
 * @param folder of all plugins
 * @returns where it waits to be removed; undefined when there was none
 */
export async function setStateAside(folder: string, stateFolder: string): Promise<string | undefined> {
  const status = await lstat(stateFolder).catch(() => undefined);
  if (!status?.isDirectory()) return undefined;
  const left = join(folder, `${LEAVING}${randomBytes(8).toString('hex')}`);
  // A folder can only go elsewhere when its user may write in it, and the plugin may have closed its own. Root may always.
  if (process.geteuid?.() !== 0) await chmod(stateFolder, 0o700);
  await rename(stateFolder, left);
  return left;
}

/** Removes it. What does not work is logged, and tried again at the next start. */
export async function removeStateLeft(left: string, log: Log, signal: AbortSignal): Promise<void> {
  try {
    await removeForeignTree(left, signal);
  } catch (error) {
    log.warn(
      { folder: left },
      `${left}, where a plugin kept its state, could not be removed: ${reasonOf(error)}; the next start tries again`,
    );
  }
}
