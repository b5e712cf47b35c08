import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { entriesOf } from '../../shared/folder-entries.js';
import { namespaceProblem } from '../../shared/namespace.js';
import { removeIfEmpty } from './folder-tree.js';
import { INCOMING, isVersionId, type PluginPlace, placeIfValid } from './plugin-place.js';
import { whatIsAt } from './version.js';

/**
 * Removes every plugin from the folder of all plugins, for good: links, versions, clones in the making. What no store
 * made stays, and links are never followed. Only while no agent runs on the folder.
 * @returns how many plugins there were
 */
export async function removeAllPlugins(folder: string): Promise<number> {
  let removed = 0;
  for (const { name } of (await entriesOf(folder)).filter((entry) => entry.isDirectory())) {
    const path = join(folder, name);
    if (name.startsWith(INCOMING)) await rm(path, { recursive: true, force: true });
    else if (namespaceProblem(name, '') === undefined) removed += await removeNamespace(folder, name);
  }
  return removed;
}

async function removeNamespace(folder: string, namespace: string): Promise<number> {
  const namespaceFolder = join(folder, namespace);
  let links = 0;
  let versions = 0;
  for (const entry of await entriesOf(namespaceFolder)) {
    const place = placeIfValid(folder, namespace, entry.name.replace(/^\./, ''));
    if (place === undefined) continue;
    if (entry.isSymbolicLink()) links += await removeLink(place);
    else if (entry.isDirectory() && entry.name.startsWith('.')) versions += await removeVersions(place);
  }
  if (links + versions > 0) await removeIfEmpty(namespaceFolder);
  return links;
}

async function removeLink(place: PluginPlace): Promise<number> {
  if ((await whatIsAt(place)) !== 'own') return 0;
  await rm(place.link, { force: true });
  return 1;
}

async function removeVersions({ versionsFolder }: PluginPlace): Promise<number> {
  const versions = (await entriesOf(versionsFolder)).filter(
    (entry) => isVersionId(entry.name) && entry.isDirectory(),
  );
  for (const { name } of versions) await rm(join(versionsFolder, name), { recursive: true, force: true });
  if (versions.length > 0) await removeIfEmpty(versionsFolder);
  return versions.length;
}
