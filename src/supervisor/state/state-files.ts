import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { entriesOf } from '../../shared/folder-entries.js';

/** The files of the state folder, by what they hold. */
export const STATE_FILES = {
  /** What the registry last said. */
  registry: 'registry.json',
  /** By which name and addresses the registry knows this host. */
  reported: 'reported.json',
  /** Which plugins operators have disabled. */
  disabledPlugins: 'disabled-plugins.json',
} as const;

/**
 * Removes them all, their temporary files and those set aside as damaged too; what else lies in the folder stays.
 * @returns how many files there were
 */
export async function removeStateFiles(folder: string): Promise<number> {
  const own: readonly string[] = Object.values(STATE_FILES);
  let removed = 0;
  for (const entry of await entriesOf(folder)) {
    const isOwn = own.some((name) => entry.name === name || entry.name.startsWith(`${name}.`));
    if (!isOwn || !entry.isFile()) continue;
    await rm(join(folder, entry.name), { force: true });
    removed += 1;
  }
  return removed;
}
