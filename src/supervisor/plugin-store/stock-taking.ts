import { readdir, readlink, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import { namespaceProblem } from '../../shared/namespace.js';
import { removeIfEmpty } from './folder-tree.js';
import { pluginFileProblem } from './plugin-file.js';
import {
  INCOMING,
  isVersionId,
  LEAVING,
  type PluginPlace,
  placeIfValid,
  STATE,
  versionIdOf,
} from './plugin-place.js';
import { readVersion, type Version } from './version.js';

/** A plugin that an earlier life of the agent left. */
export interface FoundPlugin {
  readonly place: PluginPlace;
  /** Undefined: only its state folder is there. */
  readonly version: Version | undefined;
}

/** What is in the folder of all plugins. */
export interface Stock {
  readonly plugins: readonly FoundPlugin[];
  /** State folders that wait to be removed. */
  readonly stateLeft: readonly string[];
}

/**
 * Looks through the folder of all plugins, and removes what an agent left that ended in the middle of something:
 * clones in the making, versions that no link points to, links to versions that are broken. What no agent made is
 * left alone; what cannot be read or removed is logged.
 */
export async function takeStock(folder: string, log: Log): Promise<Stock> {
  const found: FoundPlugin[] = [];
  const stateLeft: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) continue;
    if (entry.name.startsWith(LEAVING)) {
      stateLeft.push(path);
    } else if (entry.name.startsWith(INCOMING)) {
      await orLog(log, path, () => rm(path, { recursive: true, force: true }));
    } else if (namespaceProblem(entry.name, '') === undefined) {
      await orLog(log, path, async () => {
        const plugins = await pluginsOf(folder, entry.name);
        found.push(...plugins);
        const states = await removeLeftovers(folder, entry.name, plugins);
        found.push(...states.map((place) => ({ place, version: undefined })));
      });
    }
  }
  return { plugins: found, stateLeft };
}

/** A leftover that cannot be read or removed must not keep the agent from starting. */
async function orLog(log: Log, path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const wayOut = 'remove it by hand';
    log.warn(
      { folder: path },
      `${path} holds leftovers that could not be removed: ${reasonOf(error)}; ${wayOut}`,
    );
  }
}

async function pluginsOf(folder: string, namespace: string): Promise<FoundPlugin[]> {
  const found: FoundPlugin[] = [];
  for (const entry of await readdir(join(folder, namespace), { withFileTypes: true })) {
    const place = entry.isSymbolicLink() ? placeIfValid(folder, namespace, entry.name) : undefined;
    const plugin = place === undefined ? undefined : await foundPlugin(place);
    if (plugin !== undefined) found.push(plugin);
  }
  return found;
}

/** Returns the places that hold nothing but a state folder. */
async function removeLeftovers(
  folder: string,
  namespace: string,
  plugins: readonly FoundPlugin[],
): Promise<PluginPlace[]> {
  const inUse = new Set(plugins.flatMap(({ version }) => version?.folder ?? []));
  const known = new Set(plugins.map(({ place }) => place.key));
  const namespaceFolder = join(folder, namespace);
  const states: PluginPlace[] = [];
  for (const entry of await readdir(namespaceFolder, { withFileTypes: true })) {
    if (!entry.isDirectory() || !entry.name.startsWith('.')) continue;
    const place = placeIfValid(folder, namespace, entry.name.slice(1));
    if (place === undefined) continue;
    const hasState = await removeVersions(place.versionsFolder, inUse);
    if (hasState && !known.has(place.key)) states.push(place);
  }
  await removeIfEmpty(namespaceFolder);
  return states;
}

/** The plugin behind a link; a link of ours that leads to nothing whole is removed. */
async function foundPlugin(place: PluginPlace): Promise<FoundPlugin | undefined> {
  const id = versionIdOf(place, await readlink(place.link));
  if (id === undefined) return undefined;
  const version = await readVersion(join(place.versionsFolder, id));
  if (version !== undefined && (await pluginFileProblem(version.folder)) === undefined)
    return { place, version };
  await unlink(place.link);
  return undefined;
}

/** Says whether a state folder is there, too. */
async function removeVersions(versionsFolder: string, inUse: ReadonlySet<string>): Promise<boolean> {
  const names = await readdir(versionsFolder);
  for (const name of names) {
    const version = join(versionsFolder, name);
    if (isVersionId(name) && !inUse.has(version)) await rm(version, { recursive: true, force: true });
  }
  await removeIfEmpty(versionsFolder);
  return names.includes(STATE);
}
