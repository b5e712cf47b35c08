import type { PluginFormat, PluginMode } from '../../shared/plugin-format.js';
import type { PluginLimits } from '../../shared/plugin-limits.js';
import type { PluginPin } from '../../shared/plugin-trust.js';

/** How often a plugin runs. */
export type PluginInterval =
  | { readonly kind: 'on-demand' }
  | { readonly kind: 'every'; readonly seconds: number }
  | { readonly kind: 'cron'; readonly expression: string };

/** A plugin of a namespace, as the registry wants it and the configuration allows it. */
export interface PluginDefinition {
  readonly namespace: string;
  /** Last part of the repository's path, without `.git`: with the namespace it is the plugin's key. */
  readonly project: string;
  /** The registry's name without `PLUGIN.` in front. */
  readonly name: string;
  /** The registry's text for the repository, by which HTTP calls name the plugin. */
  readonly repo: string;
  /** Where it is cloned from. */
  readonly address: string;
  readonly interval: PluginInterval;
  readonly parameters: readonly string[];
  /** Whether it runs again and again or, without an interval, all the time. */
  readonly mode: PluginMode;
  /** How it prints its metrics. */
  readonly format: PluginFormat;
  /** What the registry pins it to; left out where that is nothing. */
  readonly pin?: PluginPin;
  /** Limits in place of the configuration's; left out where there are none. */
  readonly limits?: Partial<PluginLimits>;
}

/** The plugin's key as one text. */
export function pluginKey(plugin: Pick<PluginDefinition, 'namespace' | 'project'>): string {
  return `${plugin.namespace}/${plugin.project}`;
}
