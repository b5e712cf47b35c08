import { readdir, readlink, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import { namespaceProblem } from '../../shared/namespace.js';
import { removeIfEmpty } from './folder-tree.js';
import { pluginFileProblem } from './plugin-file.js';
import { INCOMING, isVersionId, type PluginPlace, placeIfValid, versionIdOf } from './plugin-place.js';
import { readVersion, type Version } from './version.js';

/** A plugin that an earlier life of the agent left in good order. */
export interface FoundPlugin {
  readonly place: PluginPlace;
  readonly version: Version;
}

/**
 * Looks through the folder of all plugins, and removes what an agent left that ended in the middle of something:
 * clones in the making, versions that no link points to, links to versions that are broken. What no agent made is
 * left alone; what cannot be read or removed is logged.
 */
export async function takeStock(folder: string, log: Log): Promise<FoundPlugin[]> {
  const found: FoundPlugin[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) continue;
    if (entry.name.startsWith(INCOMING)) {
      await orLog(log, path, () => rm(path, { recursive: true, force: true }));
    } else if (namespaceProblem(entry.name, '') === undefined) {
      await orLog(log, path, async () => {
        found.push(...(await pluginsOf(folder, entry.name)));
        await removeLeftovers(folder, entry.name, new Set(found.map(({ version }) => version.folder)));
      });
    }
  }
  return found;
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

async function removeLeftovers(folder: string, namespace: string, inUse: ReadonlySet<string>): Promise<void> {
  const namespaceFolder = join(folder, namespace);
  for (const entry of await readdir(namespaceFolder, { withFileTypes: true })) {
    if (!entry.isDirectory() || !entry.name.startsWith('.')) continue;
    const place = placeIfValid(folder, namespace, entry.name.slice(1));
    if (place !== undefined) await removeVersions(place.versionsFolder, inUse);
  }
  await removeIfEmpty(namespaceFolder);
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

async function removeVersions(versionsFolder: string, inUse: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(versionsFolder)) {
    const version = join(versionsFolder, name);
    if (isVersionId(name) && !inUse.has(version)) await rm(version, { recursive: true, force: true });
  }
  await removeIfEmpty(versionsFolder);
}
