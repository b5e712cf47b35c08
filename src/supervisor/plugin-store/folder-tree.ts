import { chmod, lstat, mkdir, readdir, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf } from '../../shared/coded-error.js';

/** How much a folder holds. */
export interface TreeSize {
  readonly bytes: number;
  readonly entries: number;
}

/**
 * Adds up what lies in a folder, links not followed. Stops as soon as one of the bounds is exceeded; what vanishes
 * meanwhile is not counted.
 */
export async function treeSize(folder: string, bounds: TreeSize): Promise<TreeSize> {
  let bytes = 0;
  let entries = 0;
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    for (const name of await readdir(next).catch(emptyWhenGone)) {
      const status = await lstat(join(next, name)).catch(undefinedWhenGone);
      if (status === undefined) continue;
      bytes += status.size;
      entries += 1;
      if (status.isDirectory()) folders.push(join(next, name));
      if (bytes > bounds.bytes || entries > bounds.entries) return { bytes, entries };
    }
  }
  return { bytes, entries };
}

/**
 * Lets every user read a tree and run what its owner may run, and nobody but the owner write, whatever the agent's
 * umask is. Links are left alone: what they point to may be outside.
 */
export async function openForReaders(folder: string): Promise<void> {
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    await chmod(next, 0o755);
    for (const name of await readdir(next)) {
      const path = join(next, name);
      const status = await lstat(path);
      if (status.isDirectory()) folders.push(path);
      else if (status.isFile()) await chmod(path, (status.mode & 0o100) === 0 ? 0o644 : 0o755);
    }
  }
}

/**
 * Makes a folder, and what is missing above it, so that every user can enter, whatever the agent's umask is. What is
 * there already stays as it is.
 */
export async function makeOpenFolder(folder: string): Promise<void> {
  const topmost = await mkdir(folder, { recursive: true });
  if (topmost === undefined) return;
  for (let path = folder; path.length >= topmost.length; path = dirname(path)) await chmod(path, 0o755);
}

/** Removes a folder that holds nothing; says whether it is gone. */
export async function removeIfEmpty(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    // Not empty, or something else that an agent need not worry about: an empty folder is no harm.
    return codeOf(error) === 'ENOENT';
  }
}

function emptyWhenGone(error: unknown): string[] {
  if (codeOf(error) === 'ENOENT') return [];
  throw error;
}

function undefinedWhenGone(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined;
  throw error;
}
