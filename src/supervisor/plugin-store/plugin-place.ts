import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { CodedError } from '../../shared/coded-error.js';
import { namespaceProblem } from '../../shared/namespace.js';
import { type PluginDefinition, pluginKey } from '../registry/plugin-definition.js';

/** What tells one plugin from another. */
export type PluginName = Pick<PluginDefinition, 'namespace' | 'project'>;

/**
 * Where a plugin lies: `<folder>/<namespace>/<project>` is a link to one of the versions in
 * `<folder>/<namespace>/.<project>/`. Replacing the link replaces the version, in one step.
 */
export interface PluginPlace {
  /** `namespace/project` */
  readonly key: string;
  readonly namespaceFolder: string;
  readonly link: string;
  readonly versionsFolder: string;
  /** The plugin's own, for what it wants to find again: beside its versions, so that it outlives each of them. */
  readonly stateFolder: string;
  readonly namespace: string;
  readonly project: string;
}

/** No dot in front: that is where the versions are. */
const PROJECT = /^[A-Za-z0-9_][A-Za-z0-9_.+~-]{0,99}$/;
const VERSION_ID = /^[0-9a-f]{12}-[0-9a-f]{8}$/;

/** Begins the names of folders that clones are made in. */
export const INCOMING = '.incoming-';

/** Begins the names of state folders of plugins that are gone: they wait to be removed. */
export const LEAVING = '.leaving-';

/** Name of a plugin's state folder; no version has it. */
export const STATE = 'state';

/** The place of a plugin. Throws CodedError `plugin-name` for names that would lead elsewhere. */
export function placeOf(folder: string, { namespace, project }: PluginName): PluginPlace {
  const key = pluginKey({ namespace, project });
  if (namespaceProblem(namespace, '') !== undefined || !PROJECT.test(project)) {
    const rule = 'letters, digits and _ . + ~ -, not beginning with a dot, at most 100 characters';
    const shown = JSON.stringify(key.slice(0, 200));
    throw new CodedError(
      'plugin-name',
      `plugin ${shown} cannot be stored: its project name must be made of ${rule}`,
    );
  }
  const namespaceFolder = join(folder, namespace);
  const versionsFolder = join(namespaceFolder, `.${project}`);
  return {
    key,
    namespace,
    project,
    namespaceFolder,
    link: join(namespaceFolder, project),
    versionsFolder,
    stateFolder: join(versionsFolder, STATE),
  };
}

/** The place of a plugin; undefined for names that no plugin of the store can have. */
export function placeIfValid(folder: string, namespace: string, project: string): PluginPlace | undefined {
  try {
    return placeOf(folder, { namespace, project });
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

/** A name for a new version that no earlier one had. */
export function newVersionId(commit: string): string {
  return `${commit.slice(0, 12)}-${randomBytes(4).toString('hex')}`;
}

/** True for a name that `newVersionId` could have made. */
export function isVersionId(name: string): boolean {
  return VERSION_ID.test(name);
}

/** What the link of a plugin holds: relative, so that the whole folder can be moved. */
export function linkText(place: PluginPlace, versionId: string): string {
  return `.${place.project}/${versionId}`;
}

/** The version that a link's text names; undefined when the link is none of ours. */
export function versionIdOf(place: PluginPlace, text: string): string | undefined {
  const prefix = `.${place.project}/`;
  const id = text.slice(prefix.length);
  return text.startsWith(prefix) && isVersionId(id) ? id : undefined;
}
