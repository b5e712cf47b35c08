import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, type FileHandle, open, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { CodedError, codeOf } from '../../shared/coded-error.js';

/** Whoever still writes into the folder is ended soon; one that goes on is left for the next start. */
const ROUNDS_MAX = 20;

/**
 * Removes a folder in which somebody else may write, even at this moment. Every step goes by way of an open folder
 * (`/proc/self/fd/<n>/name`, which is what openat does) and never through a link, so that nothing outside can be hit,
 * whatever is moved or linked meanwhile. Folders inside are moved up before they are emptied: a tree of any depth
 * takes two descriptors. One that is not there is no error.
 * @param signal ends it early, with the rest left as it is
 */
export async function removeForeignTree(folder: string, signal?: AbortSignal): Promise<void> {
  const top = await openFolder(Buffer.from(folder)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (top === undefined) return;
  try {
    for (let round = 1; ; round += 1) {
      await emptyFolder(top, signal);
      if (signal?.aborted) return;
      if (await isRemoved(Buffer.from(folder))) return;
      if (round === ROUNDS_MAX) {
        throw new CodedError('plugin-store', `somebody goes on writing to ${folder}`);
      }
    }
  } finally {
    await top.close();
  }
}

/** Ends when it is empty, or at an entry that somebody has filled again: that would never end as long as he goes on. */
async function emptyFolder(top: FileHandle, signal: AbortSignal | undefined): Promise<void> {
  for (let names = await namesIn(top); names.length > 0; names = await namesIn(top)) {
    let removed = 0;
    for (const name of names) {
      if (signal?.aborted) return;
      removed += (await removeEntry(top, name)) ? 1 : 0;
    }
    if (removed < names.length) return;
  }
}

/** False when it is still there, as somebody fills it again. */
async function removeEntry(top: FileHandle, name: Buffer): Promise<boolean> {
  const path = inside(top, name);
  if (await isUnlinked(path)) return true;
  const folder = await openFolder(path).catch((error: unknown) => {
    if (isSwapped(error)) return undefined;
    throw error;
  });
  if (folder === undefined) return false;
  try {
    for (const child of await namesIn(folder)) {
      const childPath = inside(folder, child);
      if (await isUnlinked(childPath)) continue;
      await openForOwner(childPath);
      await rename(childPath, inside(top, newName())).catch((error: unknown) => {
        if (!isSwapped(error)) throw error;
      });
    }
  } finally {
    await folder.close();
  }
  return isRemoved(path);
}

function namesIn(folder: FileHandle): Promise<Buffer[]> {
  return readdir(`/proc/self/fd/${folder.fd}`, { encoding: 'buffer' });
}

/** Names need not be UTF-8. */
function inside(folder: FileHandle, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${folder.fd}/`), name]);
}

function newName(): Buffer {
  return Buffer.from(`.moved-${randomBytes(12).toString('hex')}`);
}

/** True when nothing of that name is there any more; false when it is a folder. */
async function isUnlinked(path: Buffer): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    if (codeOf(error) === 'EISDIR') return false;
    throw error;
  }
}

async function isRemoved(path: Buffer): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST' || isSwapped(error)) return false;
    throw error;
  }
}

/** Between two steps somebody has put a file or a link where a folder was, or has taken it away. */
function isSwapped(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '');
}

async function openFolder(path: Buffer): Promise<FileHandle> {
  await openForOwner(path);
  return open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

/**
 * A plugin can close folders to its user. Root enters them as they are, and must not change modes by a name that
 * others choose; for everybody else, who is that user, a link can do no harm.
 */
async function openForOwner(path: Buffer): Promise<void> {
  if (process.geteuid?.() === 0) return;
  await chmod(path, 0o700).catch((error: unknown) => {
    // What is wrong shows at the next step, where it counts.
    if (codeOf(error) === undefined) throw error;
  });
}
