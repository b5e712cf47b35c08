import type { OutputName, OutputTable } from './config.js';

type OutputKey = keyof OutputTable;

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
};

/** The keys that mean something to outputs of a kind. */
export function keysOfKind(name: OutputName): readonly string[] {
  return [...KEYS_OF_EVERY_KIND, ...KEYS_BY_KIND[name]];
}
