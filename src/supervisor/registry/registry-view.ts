import { HOST_TYPES } from '../../shared/host-types.js';
import type { PluginDefinition } from './plugin-definition.js';

/** Something that the registry said and the agent does not follow. */
export interface RegistryProblem {
  /** As the registry wrote it; undefined when it concerns all. */
  readonly namespace: string | undefined;
  /** The item's name as the registry wrote it; undefined when it concerns the whole namespace. */
  readonly name: string | undefined;
  /** A sentence. */
  readonly reason: string;
}

/** An item about the host itself, for those who measure it. */
export interface HostItem {
  readonly namespace: string;
  readonly type: HostItemType;
  /** The item's fields as texts, numbers too; lists and objects are left out. */
  readonly fields: Readonly<Record<string, string>>;
}

/** What the registry wants of the host itself, besides plugins. DEV is no type of measurement here. */
export const HOST_ITEM_TYPES = [...HOST_TYPES, 'DEV'] as const;

/** One of them. */
export type HostItemType = (typeof HOST_ITEM_TYPES)[number];

/** All that is known of the registry, checked. */
export interface RegistryView {
  /** That the host is in, sorted. */
  readonly namespaces: readonly string[];
  /** Resource id of each namespace that has one. */
  readonly resourceIds: Readonly<Record<string, string>>;
  readonly plugins: readonly PluginDefinition[];
  /** Those whose item has a mistake: they do not run, and what they have stays until it is put right. */
  readonly mistakenPlugins: readonly Pick<PluginDefinition, 'namespace' | 'project'>[];
  readonly hostItems: readonly HostItem[];
  readonly problems: readonly RegistryProblem[];
  /** Namespaces whose items are older ones, because the registry could not be asked for them. */
  readonly stale: readonly string[];
}
