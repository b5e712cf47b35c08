import { readFileSync } from 'node:fs';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import type { NsqTls } from '../../shared/nsq-tcp/options.js';
import type {
  InfluxdbOutputSettings,
  NsqOutputSettings,
  OutputSettings,
  SpoolSettings,
} from '../../shared/output-settings.js';
import type { Config, OutputName, OutputTable } from '../config/config.js';

/** What outputs tell servers of the agent. */
export interface AgentFacts {
  /** Name of the host. */
  readonly host: string;
  readonly version: string;
}

/**
 * What the publisher needs to know of `[output]` and all `[[outputs]]` but Golang output plugins, whose settings take
 * their libraries; certificates and secrets are read here, once.
 * @throws CodedError `config` for a file that cannot be read
 */
export function outputSettings(
  { output, outputs }: Pick<Config, 'output' | 'outputs'>,
  facts: AgentFacts,
): readonly OutputSettings[] {
  const { maxmessagesize } = output;
  return [
    ...(isPlain(output) ? [settingsOf({ title: '[output]', table: output, maxmessagesize, ...facts })] : []),
    ...outputs.flatMap((table, index) =>
      isPlain(table)
        ? settingsOf({ title: `[[outputs]] ${index + 1}`, table, maxmessagesize, ...facts })
        : [],
    ),
  ];
}

/** What the publisher needs to know of `[spool]`; undefined when it is off. */
export function spoolSettings({ mode, dir, maxbytes, fsync }: Config['spool']): SpoolSettings | undefined {
  if (mode === 'off') return undefined;
  return { folder: dir, mode, maxBytes: maxbytes, fsync };
}

type PlainTable = OutputTable & { readonly name: Exclude<OutputName, 'go'> };

function isPlain(table: OutputTable): table is PlainTable {
  return table.name !== 'go';
}

interface PlacedTable extends AgentFacts {
  /** Of the table, for messages. */
  readonly title: string;
  readonly table: PlainTable;
  readonly maxmessagesize: number;
}

function settingsOf(placed: PlacedTable): OutputSettings {
  const { table } = placed;
  const common = { alias: table.alias, bufferSize: table.buffersize };
  switch (table.name) {
    case 'stdout':
      return { ...common, name: 'stdout' };
    case 'file':
      return { ...common, name: 'file', path: table.path };
    case 'nsq':
      return { ...common, ...nsqSettings(placed) };
    case 'influxdb':
      return { ...common, ...influxdbSettings(placed) };
  }
}

function nsqSettings(placed: PlacedTable): NsqOutputSettings {
  const { table, host, version, maxmessagesize } = placed;
  return {
    name: 'nsq',
    servers: table.servers,
    lookupd: table.lookupd,
    compression: table.compression,
    maxMessageBytes: maxmessagesize,
    topicPrefix: table.topicprefix,
    hostname: host,
    userAgent: userAgent(version),
    responseTimeoutMs: table.responsetimeout * 1000,
    tls: table.tls ? tlsOf(placed) : undefined,
    authSecret: readSecret(placed, 'authsecretfile'),
  };
}

function influxdbSettings(placed: PlacedTable): InfluxdbOutputSettings {
  const { table, version } = placed;
  return {
    name: 'influxdb',
    url: table.url,
    version: table.version,
    database: table.database,
    organization: table.organization,
    retentionPolicy: table.retentionpolicy,
    namespaceTag: table.namespacetag,
    gzip: table.gzip,
    batchPoints: table.batchsize,
    responseTimeoutMs: table.responsetimeout * 1000,
    userAgent: userAgent(version),
    token: readSecret(placed, 'tokenfile'),
    username: table.username === '' ? undefined : table.username,
    password: readSecret(placed, 'passwordfile'),
    ca: readIfNamed(placed, 'tlsca'),
    insecure: table.tlsinsecure,
  };
}

function userAgent(version: string): string {
  return `agent/${version}`;
}

function tlsOf(placed: PlacedTable): NsqTls {
  const { tlsservername, tlsinsecure } = placed.table;
  const ca = readIfNamed(placed, 'tlsca');
  const cert = readIfNamed(placed, 'tlscert');
  const key = readIfNamed(placed, 'tlskey');
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(tlsservername !== '' && { servername: tlsservername }),
    rejectUnauthorized: !tlsinsecure,
  };
}

type FileKey = 'tlsca' | 'tlscert' | 'tlskey' | 'authsecretfile' | 'tokenfile' | 'passwordfile';

function readSecret(placed: PlacedTable, key: FileKey): string | undefined {
  return readIfNamed(placed, key)?.trim();
}

function readIfNamed({ title, table }: PlacedTable, key: FileKey): string | undefined {
  const file = table[key];
  if (file === '') return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    throw new CodedError('config', `${title} ${key} cannot be read: ${reasonOf(thrown)}`);
  }
}
