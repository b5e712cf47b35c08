import { lstat, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { entriesOf } from '../../shared/folder-entries.js';

/** What a clean-up found in the folder of a spool. */
export interface SpoolRemoval {
  /** Files of the spool that were removed. */
  readonly files: number;
  /** Paths, below the folder, of what the spool did not make: they stay. */
  readonly foreign: readonly string[];
}

/** Segments, their acknowledgements, and what was set aside of either as damaged. */
const SPOOL_FILE = /^\d{16}-[0-9a-f]{8}\.(?:segment|acknowledged)(?:\.damaged(?:-\d+)*)?$/;

/** Documents that an output refused, beside its folder, and those before them. */
const REFUSED_FILE = /^[A-Za-z0-9_-]{1,32}\.refused(?:\.1)?$/;

/** Names the process that has the folder open, or had it when it was killed; others while one follows another. */
const LOCK = /^lock(?:\..+)?$/;

/** A folder of the spool is named by the alias of an output, and nobody but its user may look into it. */
const ALIAS = /^[A-Za-z0-9_-]{1,32}$/;
const FOLDER_MODE = 0o700;

/**
 * Removes all outputs' spools from a folder; an output that the configuration names no more may have one too. Symbolic
 * links in it are never followed.
 */
export async function removeSpools(folder: string): Promise<SpoolRemoval> {
  const foreign: string[] = [];
  let files = 0;
  for (const entry of await entriesOf(folder)) {
    if (entry.isFile() && REFUSED_FILE.test(entry.name)) {
      await unlink(join(folder, entry.name));
      files += 1;
    } else if (entry.isDirectory() && ALIAS.test(entry.name)) {
      const removal = await removeSpool(folder, entry.name);
      files += removal.files;
      foreign.push(...removal.foreign);
    } else {
      foreign.push(entry.name);
    }
  }
  return { files, foreign: foreign.sort() };
}

async function removeSpool(parent: string, name: string): Promise<SpoolRemoval> {
  const folder = join(parent, name);
  const foreign: string[] = [];
  let files = 0;
  for (const entry of await entriesOf(folder)) {
    if (entry.isFile() && LOCK.test(entry.name)) {
      await unlink(join(folder, entry.name));
    } else if (entry.isFile() && SPOOL_FILE.test(entry.name)) {
      await unlink(join(folder, entry.name));
      files += 1;
    } else {
      foreign.push(join(name, entry.name));
    }
  }
  if (foreign.length > 0) return { files, foreign };
  const isOwn = files > 0 || ((await lstat(folder)).mode & 0o777) === FOLDER_MODE;
  if (!isOwn) return { files, foreign: [name] };
  await rmdir(folder);
  return { files, foreign };
}
