import { readFile, readlink, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, codeOf } from '../../shared/coded-error.js';
import type { Clone } from './clone.js';
import { makeOpenFolder, openForReaders } from './folder-tree.js';
import { linkText, newVersionId, type PluginPlace, versionIdOf } from './plugin-place.js';

/** One version of a plugin on disk. */
export interface Version {
  readonly folder: string;
  /** Full hash of its commit. */
  readonly commit: string;
  /** Where it came from, without credentials. */
  readonly address: string;
  /** SHA-256 of its `plugin` when it was fetched; undefined in versions of agents that did not note it. */
  readonly sha256: string | undefined;
}

/** Inside `.git`, where no repository can put a file of its own. */
const NOTE_FILE = join('.git', 'agent-version.json');
/** Tidying up after another version may take a folder away that was just made. */
const PLACE_ATTEMPTS = 3;

/**
 * Moves a finished clone to its place and lets the plugin's link point to it. `incoming` is a folder on the same file
 * system, for the link in the making. Throws CodedError `place-taken` when the link's place holds something else.
 */
export async function placeVersion(
  place: PluginPlace,
  incoming: string,
  clone: Clone,
  address: string,
): Promise<Version> {
  await refuseForeign(place);
  const id = newVersionId(clone.commit);
  const { commit, sha256 } = clone;
  const version = { folder: join(place.versionsFolder, id), commit, address, sha256 };
  await writeFile(join(clone.folder, NOTE_FILE), JSON.stringify({ commit, address, sha256 }));
  await openForReaders(clone.folder);
  await moveIn(place, clone.folder, version.folder);
  const link = join(incoming, 'link');
  await symlink(linkText(place, id), link);
  await rename(link, place.link);
  return version;
}

/** The version in a folder of an earlier life; undefined when it was not finished there. */
export async function readVersion(folder: string): Promise<Version | undefined> {
  try {
    const note: unknown = JSON.parse(await readFile(join(folder, NOTE_FILE), 'utf8'));
    if (typeof note !== 'object' || note === null) return undefined;
    if (!('commit' in note) || !('address' in note)) return undefined;
    const { commit, address } = note;
    if (typeof commit !== 'string' || typeof address !== 'string') return undefined;
    const sha256 = 'sha256' in note && typeof note.sha256 === 'string' ? note.sha256 : undefined;
    return { folder, commit, address, sha256 };
  } catch {
    // Missing, unreadable, or half written before a power failure: the version is cloned again.
    return undefined;
  }
}

/** Whether the place of a plugin's link is free, holds a link of the store's, or something else. */
export async function whatIsAt(place: PluginPlace): Promise<'nothing' | 'own' | 'foreign'> {
  try {
    return versionIdOf(place, await readlink(place.link)) === undefined ? 'foreign' : 'own';
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'nothing';
    // No link, but a file or a folder.
    if (codeOf(error) === 'EINVAL') return 'foreign';
    throw error;
  }
}

async function moveIn(place: PluginPlace, from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    await makeOpenFolder(place.versionsFolder);
    try {
      await rename(from, to);
      return;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || attempt === PLACE_ATTEMPTS) throw error;
    }
  }
}

async function refuseForeign(place: PluginPlace): Promise<void> {
  if ((await whatIsAt(place)) !== 'foreign') return;
  const wayOut = 'move it away, and the plugin is fetched at the next try';
  throw new CodedError(
    'place-taken',
    `${place.link} is there already and was not made by this agent; ${wayOut}`,
  );
}
