import { CodedError, reasonOf } from '../../shared/coded-error.js';
import { withoutCredentials } from '../log/credentials.js';
import type { KnownRegistry } from './known-registry.js';
import { type PluginDefinition, pluginKey } from './plugin-definition.js';
import { definePlugin, type ItemFields, projectOf, type RepositoryRules } from './plugin-item.js';
import {
  HOST_ITEM_TYPES,
  type HostItem,
  type HostItemType,
  type RegistryProblem,
  type RegistryView,
} from './registry-view.js';

/**
 * Checks everything that is known of the registry, item by item: what cannot be followed becomes a problem and
 * leaves the others alone. `problems` are those found before.
 */
export function buildView(
  known: KnownRegistry,
  rules: RepositoryRules,
  problems: readonly RegistryProblem[],
): RegistryView {
  const plugins = new Map<string, PluginDefinition>();
  const mistakenPlugins: RegistryView['mistakenPlugins'][number][] = [];
  const hostItems: HostItem[] = [];
  const found: RegistryProblem[] = [...problems];
  const stale: string[] = [];
  const namespaces = [...known.keys()].sort();

  for (const namespace of namespaces) {
    const { items = [], failure } = known.get(namespace) ?? {};
    if (failure !== undefined) {
      stale.push(namespace);
      found.push({ namespace, name: undefined, reason: `its items are the last known ones: ${failure}` });
    }
    for (const item of items) {
      try {
        takeItem(namespace, item, rules, plugins, hostItems);
      } catch (error) {
        found.push({ namespace, name: nameOf(item), reason: reasonOf(error) });
        const project = isFields(item) ? projectOf(item, rules) : undefined;
        if (project !== undefined) mistakenPlugins.push({ namespace, project });
      }
    }
  }
  return {
    namespaces,
    resourceIds: resourceIdsOf(known),
    plugins: [...plugins.values()],
    mistakenPlugins,
    hostItems,
    problems: found,
    stale,
  };
}

function takeItem(
  namespace: string,
  item: unknown,
  rules: RepositoryRules,
  plugins: Map<string, PluginDefinition>,
  hostItems: HostItem[],
): void {
  if (!isFields(item)) throw new CodedError('item', 'the item is no object');
  const type = item.measurement_type;
  if (typeof type !== 'string') throw new CodedError('item', '"measurement_type" is missing or no text');
  if (type === 'GOPLUGIN')
    throw new CodedError('item', 'GOPLUGIN items are functions of another agent; not run here');
  if (type === 'PLUGIN') takePlugin(definePlugin(namespace, item, rules), plugins);
  if (isHostType(type)) hostItems.push({ namespace, type, fields: textFields(item) });
}

function takePlugin(plugin: PluginDefinition, plugins: Map<string, PluginDefinition>): void {
  const key = pluginKey(plugin);
  const first = plugins.get(key);
  if (first === undefined) {
    plugins.set(key, plugin);
    return;
  }
  const [one, other] = [first.repo, plugin.repo].map(withoutCredentials);
  throw new CodedError(
    'item',
    one === other
      ? `the project ${plugin.project} (${one}) is listed twice in the namespace; the first one counts`
      : `two projects of the name ${plugin.project} in one namespace: ${one} stays, ${other} is refused; rename one of them`,
  );
}

function resourceIdsOf(known: KnownRegistry): Record<string, string> {
  const ids = Array.from(known, ([namespace, { id }]) => [namespace, id] as const);
  return Object.fromEntries(ids.filter(([, id]) => id !== ''));
}

function isFields(item: unknown): item is ItemFields {
  return typeof item === 'object' && item !== null && !Array.isArray(item);
}

function isHostType(type: unknown): type is HostItemType {
  return HOST_ITEM_TYPES.some((known) => known === type);
}

function textFields(item: ItemFields): Record<string, string> {
  const plain = Object.entries(item).filter(
    ([, value]) => typeof value === 'string' || typeof value === 'number',
  );
  return Object.fromEntries(plain.map(([field, value]) => [field, String(value)]));
}

function nameOf(item: unknown): string | undefined {
  return isFields(item) && typeof item.name === 'string' ? item.name : undefined;
}
