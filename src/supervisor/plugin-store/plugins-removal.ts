import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { entriesOf } from '../../shared/folder-entries.js';
import { namespaceProblem } from '../../shared/namespace.js';
import { removeIfEmpty } from './folder-tree.js';
import { removeForeignTree } from './foreign-tree.js';
import { INCOMING, isVersionId, LEAVING, type PluginPlace, placeIfValid, STATE } from './plugin-place.js';
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
    else if (name.startsWith(LEAVING)) await removeForeignTree(path);
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

/** And the state folder beside them, in which the plugins' user can write. */
async function removeVersions({ versionsFolder, stateFolder }: PluginPlace): Promise<number> {
  const folders = (await entriesOf(versionsFolder)).filter((entry) => entry.isDirectory());
  const versions = folders.filter(({ name }) => isVersionId(name));
  const hasState = folders.some(({ name }) => name === STATE);
  for (const { name } of versions) await rm(join(versionsFolder, name), { recursive: true, force: true });
  if (hasState) await removeForeignTree(stateFolder);
  if (versions.length > 0 || hasState) await removeIfEmpty(versionsFolder);
  return versions.length + (hasState ? 1 : 0);
}
