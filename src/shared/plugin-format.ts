/** Ways in which a plugin may print its metrics; the first is what an item of the registry means that names none. */
export const PLUGIN_FORMATS = ['json', 'influx', 'nagios', 'prometheus'] as const;

/** One of them. */
export type PluginFormat = (typeof PLUGIN_FORMATS)[number];

/** Ways in which a plugin runs: again and again, or all the time; the first is what an item means that names none. */
export const PLUGIN_MODES = ['run', 'stream'] as const;

/** One of them. */
export type PluginMode = (typeof PLUGIN_MODES)[number];
