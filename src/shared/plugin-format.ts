/** Ways in which a plugin may print its metrics; the first is what an item of the registry means that names none. */
export const PLUGIN_FORMATS = ['json', 'influx', 'nagios', 'prometheus'] as const;

/** One of them. */
export type PluginFormat = (typeof PLUGIN_FORMATS)[number];
