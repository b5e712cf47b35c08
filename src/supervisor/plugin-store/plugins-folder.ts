import type { Stats } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import { makeOpenFolder } from './folder-tree.js';

/** The user that plugins run as, where that is another one than the agent's. */
export interface Reader {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes the folder of all plugins, or checks the one that is there. It must belong to the agent's user, and nobody
 * else may write to it, sticky or not: whoever can put a namespace's folder there owns what the agent runs from it.
 * Throws CodedError `plugins-folder`.
 */
export async function preparePluginsFolder(folder: string): Promise<void> {
  let status: Stats;
  try {
    await makeOpenFolder(folder);
    status = await stat(folder);
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const wayOut = "set [agent] pluginsdir to a folder that the agent's user can make and write to";
    throw folderError(folder, `cannot be used: ${reasonOf(error)}; ${wayOut}`);
  }
  if (!status.isDirectory())
    throw folderError(folder, 'is no folder; move it away or change [agent] pluginsdir');
  const user = process.geteuid?.();
  if (user !== undefined && status.uid !== user) {
    const wayOut = `run chown ${user} ${folder}, or change [agent] pluginsdir`;
    throw folderError(folder, `belongs to user ${status.uid}, but the agent runs as user ${user}; ${wayOut}`);
  }
  if ((status.mode & 0o022) !== 0) {
    throw folderError(
      folder,
      `can be written to by other users, who could change plugins; run chmod go-w ${folder}`,
    );
  }
}

/** The first folder on the way to the plugins that their user cannot enter; undefined when there is none. */
export async function closedFolder(folder: string, reader: Reader): Promise<string | undefined> {
  if (reader.uid === 0) return undefined;
  const parent = dirname(folder);
  const above = parent === folder ? undefined : await closedFolder(parent, reader);
  if (above !== undefined) return above;
  return canEnter(await stat(folder), reader) ? undefined : folder;
}

function canEnter({ mode, uid, gid }: Stats, reader: Reader): boolean {
  if (uid === reader.uid) return (mode & 0o100) !== 0;
  if (gid === reader.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}

function folderError(folder: string, sentence: string): CodedError {
  return new CodedError('plugins-folder', `the plugins folder ${folder} ${sentence}`);
}
