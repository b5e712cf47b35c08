import type { FurtherOutputTable, OutputName } from './config.js';

type OutputKey = keyof FurtherOutputTable;

const KEYS_OF_EVERY_KIND: readonly OutputKey[] = ['name', 'alias', 'buffersize'];

const KEYS_BY_KIND: Readonly<Record<OutputName, readonly OutputKey[]>> = {
  nsq: [
    'servers',
    'lookupd',
    'compression',
    'topicprefix',
    'responsetimeout',
    'tls',
    'tlsca',
    'tlscert',
    'tlskey',
    'tlsservername',
    'tlsinsecure',
    'authsecretfile',
  ],
  influxdb: [
    'url',
    'version',
    'database',
    'organization',
    'retentionpolicy',
    'namespacetag',
    'tokenfile',
    'username',
    'passwordfile',
    'gzip',
    'batchsize',
    'responsetimeout',
    'tlsca',
    'tlsinsecure',
  ],
  stdout: [],
  file: ['path'],
  go: [
    'plugin',
    'library',
    'properties',
    'match',
    'match_regex',
    'format',
    'topicprefix',
    'flush',
    'grace',
    'flush_timeout',
    'workers',
    'retry_limit',
    'dead_letter_file',
    'storage',
    'log_level',
    'log_suppress_interval',
    'environment',
  ],
};

/** The keys that mean something to outputs of a kind. */
export function keysOfKind(name: OutputName): readonly string[] {
  return [...KEYS_OF_EVERY_KIND, ...KEYS_BY_KIND[name]];
}
