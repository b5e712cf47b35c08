import { z } from 'zod';
import { HOST_KEY_READERS, type HostKeys } from './fluent-bit/host-keys.js';
import { optionalFile, type PathBase, seconds, table, text } from './key-kinds.js';

/** Keys of `[[outputs]]` that belong to Golang output plugins. Those of Fluent Bit have its names and take its words. */
export function goOutputKeys(base: PathBase) {
  return {
    plugin: text(/^\S{0,64}$/, 'must be the name that the plugin registers, or "" for any').default(''),
    library: optionalFile(base).default(''),
    match: hostKey('match'),
    match_regex: hostKey('matchRegex'),
    retry_limit: hostKey('retryLimit'),
    workers: hostKey('workers'),
    log_level: hostKey('logLevel'),
    log_suppress_interval: hostKey('logSuppressIntervalMs'),
    storage: table({ total_limit_size: hostKey('storageBytesMax') }).prefault({}),
    format: hostKey('format'),
    flush: seconds(0.01, 3600).default(1),
    grace: seconds(0, 30).default(5),
    flush_timeout: seconds(0.1, 3600).nullable().default(null),
    dead_letter_file: optionalFile(base).default(''),
    environment: textMap('must be a table of variables, like { GOGC = "400" }'),
    properties: textMap('must be a table of the plugin\'s own keys, like { path = "/tmp/points" }'),
  };
}

/** As in a file of Fluent Bit, where everything is text. */
function hostKey<K extends keyof HostKeys>(key: K) {
  const sentence = 'must be text, a number, true or false';
  return z
    .union([z.string(), z.number(), z.boolean()], sentence)
    .transform((value, context): Exclude<HostKeys[K], undefined> | null => {
      const reading = HOST_KEY_READERS[key](String(value));
      if ('value' in reading) return (reading.value as Exclude<HostKeys[K], undefined> | undefined) ?? null;
      context.addIssue({ code: 'custom', message: reading.problem });
      return z.NEVER;
    })
    .nullable()
    .default(null);
}

/** A plugin reads text, so that numbers and switches become what they are written as. */
function textMap(sentence: string) {
  const value = z.union([z.string().regex(/^[^\0]*$/), z.number(), z.boolean()], sentence).transform(String);
  return z.record(z.string(), value, sentence).prefault({});
}
