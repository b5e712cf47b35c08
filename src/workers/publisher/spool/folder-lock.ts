import { link, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, codeOf } from '../../../shared/coded-error.js';
import { isRunning, ownIdentity, type ProcessIdentity } from '../../../shared/process-identity.js';
import { isNoRoom } from './spool-error.js';
import { createNew, openForReading, readAt, writeAt } from './spool-file.js';

/** Name of the lock in the folder that it is for. */
export const LOCK = 'lock';

/** No lock has more. */
const TEXT_MOST_BYTES = 100;

/** A folder that this process alone works in. The lock is a file that names the process, and so tells when that is gone. */
export class FolderLock {
  readonly #path: string;
  readonly #text: string;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
  }

  /**
   * Takes the lock, also in place of a process that is gone, or of an earlier thread of this one. Where the disk has
   * no room at all for it the folder is used without.
   * @throws CodedError `spool-folder` when another process has it; what the system says when it cannot be made
   */
  static async take(folder: string): Promise<FolderLock> {
    const path = join(folder, LOCK);
    const text = textOf(ownIdentity());
    try {
      await take(path, text, folder);
    } catch (error) {
      if (!isNoRoom(error)) throw error;
    }
    return new FolderLock(path, text);
  }

  /** Gives the folder back, if it is still this process's. */
  async release(): Promise<void> {
    if ((await textAt(this.#path)) === this.#text) await unlink(this.#path);
  }
}

/**
 * A lock of a dead process is replaced under a second lock, whose name comes from the dead one: of several processes
 * that see it dead only one gets that. Whoever gets it late sees another lock than it judged, and begins again.
 */
async function take(path: string, text: string, folder: string): Promise<void> {
  for (;;) {
    if (await tryMake(path, text)) return;
    const found = await textAt(path);
    if (found === text) return;
    if (found === undefined) continue;
    const holder = identityOf(found);
    if (holder && isRunning(holder)) throw inUse(folder, holder);
    const replacing = `${path}.after-${encodeURIComponent(found).slice(-120)}`;
    await take(replacing, text, folder);
    try {
      if ((await textAt(path)) !== found) continue;
      await replace(path, text);
      return;
    } finally {
      await unlinkIfThere(replacing);
    }
  }
}

/** False when there is something of that name already. Links a finished file to the name, which only one process can. */
async function tryMake(path: string, text: string): Promise<boolean> {
  const temporary = await writeTemporary(path, text);
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlinkIfThere(temporary);
  }
}

async function replace(path: string, text: string): Promise<void> {
  const temporary = await writeTemporary(path, text);
  try {
    await rename(temporary, path);
  } finally {
    await unlinkIfThere(temporary);
  }
}

async function writeTemporary(path: string, text: string): Promise<string> {
  const temporary = `${path}.${process.pid}`;
  await unlinkIfThere(temporary);
  const file = await createNew(temporary);
  try {
    await writeAt(file, 0, [Buffer.from(text)]);
  } catch (error) {
    await unlinkIfThere(temporary);
    throw error;
  } finally {
    await file.close();
  }
  return temporary;
}

/** Undefined when there is no lock; empty when there is a symbolic link in its place. */
async function textAt(path: string): Promise<string | undefined> {
  try {
    const file = await openForReading(path);
    try {
      return (await readAt(file, 0, TEXT_MOST_BYTES)).toString('latin1');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (codeOf(error) === 'ELOOP') return '';
    throw error;
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function textOf({ pid, startTicks, bootId }: ProcessIdentity): string {
  return `${pid}.${startTicks}.${bootId}`;
}

/** Undefined when the text names no process. */
function identityOf(text: string): ProcessIdentity | undefined {
  const match = /^(\d{1,10})\.(\d*)\.([-\da-f]*)$/.exec(text);
  if (!match) return undefined;
  return { pid: Number(match[1]), startTicks: match[2] ?? '', bootId: match[3] ?? '' };
}

function inUse(folder: string, { pid }: ProcessIdentity): CodedError {
  return new CodedError(
    'spool-folder',
    `the spool's folder ${folder} is in use by the process with pid ${pid}, perhaps another agent; give each its own [spool] dir`,
  );
}
