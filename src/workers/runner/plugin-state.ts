import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
} from 'node:fs';
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import type { PluginUser } from '../../shared/messages.js';
import type { FileOwner, OwnersOf } from './file-owners.js';

const MODE = 0o700;
const MODE_BITS = 0o7777;
const OWN_UID = process.geteuid?.() ?? 0;

/**
 * Sees to it that a plugin has its state folder, which only its user can enter. It costs one look when all is well.
 * The folder's parent is the agent's, so that nobody can put a link in its place; a link is not followed all the same.
 * What is in the folder is left alone: it is the plugin's.
 * @returns why the folder cannot be used, in a sentence; undefined when it can
 */
export function stateFolderProblem(
  folder: string,
  user: PluginUser | undefined,
  look: OwnersOf,
): string | undefined {
  try {
    const found = ownerOf(folder, look);
    if (found === undefined) makeFolder(folder);
    else if (!isFolder(found)) {
      return `its state folder ${folder} is no folder; move it away`;
    } else if (isItsOwn(found, user)) return undefined;
    takeOver(folder, user);
    return undefined;
  } catch (error) {
    // Its whole place is gone; the start has the words for that.
    if (codeOf(error) === 'ENOENT') return undefined;
    return `its state folder ${folder} cannot be made: ${reasonOf(error)}`;
  }
}

/** Another thread may have been faster. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, MODE);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/** Whether a state folder is one, and its user's alone. */
export function isStateFolder(owner: FileOwner, user: PluginUser | undefined): boolean {
  return isFolder(owner) && isItsOwn(owner, user);
}

function isFolder({ mode }: FileOwner): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFDIR;
}

function isItsOwn({ uid, mode }: FileOwner, user: PluginUser | undefined): boolean {
  return uid === (user?.uid ?? OWN_UID) && (mode & MODE_BITS) === MODE;
}

function ownerOf(folder: string, look: OwnersOf): FileOwner | undefined {
  try {
    return look([folder], 1)[0];
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function takeOver(folder: string, user: PluginUser | undefined): void {
  const { uid, gid } = user ?? { uid: OWN_UID, gid: process.getegid?.() ?? 0 };
  const descriptor = openFolder(folder);
  try {
    const status = fstatSync(descriptor);
    if (status.uid !== uid || status.gid !== gid) fchownSync(descriptor, uid, gid);
    fchmodSync(descriptor, MODE);
  } finally {
    closeSync(descriptor);
  }
}

function openFolder(folder: string): number {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  try {
    return openSync(folder, flags);
  } catch (error) {
    // Not root, and the plugin, which is the same user then, has closed its folder to itself.
    if (codeOf(error) !== 'EACCES') throw error;
    chmodSync(folder, MODE);
    return openSync(folder, flags);
  }
}
