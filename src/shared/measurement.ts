const PLUGIN_PREFIX = 'PLUGIN.';

/** A plugin's name without the `PLUGIN.` that registry names usually bring. */
export function pluginNameOf(registryName: string): string {
  return registryName.startsWith(PLUGIN_PREFIX) ? registryName.slice(PLUGIN_PREFIX.length) : registryName;
}

/** Stands in front of the name of every metric that the plugin prints. */
export function pluginMetricPrefix(pluginName: string): string {
  return `${PLUGIN_PREFIX}${pluginName}.`;
}

/** Measurement of the point that says how a run of the plugin ended. */
export function runMeasurement(pluginName: string): string {
  return `plugin.${pluginName}`;
}
