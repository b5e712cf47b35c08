import { resolve } from 'node:path';
import type { GoOutputSettings, OutputSettings } from '../../shared/output-settings.js';
import type { FurtherOutputTable } from '../config/config.js';
import { HOST_KEY_NAMES, REFUSED_KEYS } from '../config/fluent-bit/host-keys.js';
import type { OutputDraft } from '../config/fluent-bit/output-section.js';
import { DEFAULT_SERVICE, type Service } from '../config/fluent-bit/service-section.js';

/** Settings of an output that is a Golang plugin. */
export type GoOutput = Extract<OutputSettings, GoOutputSettings>;

/** The library of an output, and why it cannot be used, if so. */
export type FoundPlugin = Pick<GoOutput, 'library' | 'pluginName' | 'problem'>;

/** Of one of `[[outputs]]`. */
export function tableSettings(table: FurtherOutputTable, found: FoundPlugin): GoOutput {
  return {
    name: 'go',
    ...found,
    alias: table.alias,
    bufferSize: table.buffersize,
    properties: Object.entries(table.properties),
    reservedKeys: RESERVED_KEYS,
    match: table.match ?? undefined,
    matchRegex: table.match_regex ?? undefined,
    topicPrefix: table.topicprefix,
    format: table.format ?? 'nested',
    flushMs: table.flush * 1000,
    graceMs: table.grace * 1000,
    workers: workersOf(table.workers),
    retryLimit: table.retry_limit ?? DEFAULT_RETRY_LIMIT,
    retryBaseMs: DEFAULT_SERVICE.retryBaseMs,
    retryCapMs: DEFAULT_SERVICE.retryCapMs,
    flushTimeoutMs: table.flush_timeout === null ? DEFAULT_FLUSH_TIME_OUT_MS : table.flush_timeout * 1000,
    deadLetterFile: table.dead_letter_file === '' ? undefined : table.dead_letter_file,
    logLevel: table.log_level ?? DEFAULT_SERVICE.logLevel,
    logSuppressIntervalMs: table.log_suppress_interval ?? 0,
    storageLimitBytes: table.storage.total_limit_size ?? undefined,
    hostEnvironment: table.environment,
  };
}

/** What an output of a file of Fluent Bit has from outside of its section. */
export interface Surroundings {
  readonly alias: string;
  readonly topicPrefix: string;
  readonly service: Service;
}

/** Of one `[OUTPUT]`. */
export function draftSettings(
  { host, properties, hostEnvironment, place }: OutputDraft,
  found: FoundPlugin,
  { alias, topicPrefix, service }: Surroundings,
): GoOutput {
  return {
    name: 'go',
    ...found,
    alias,
    bufferSize: host.bufferSize ?? DEFAULT_BUFFER_SIZE,
    properties,
    reservedKeys: RESERVED_KEYS,
    match: host.match,
    matchRegex: host.matchRegex,
    topicPrefix,
    format: host.format ?? 'nested',
    flushMs: service.flushMs,
    graceMs: service.graceMs,
    workers: workersOf(host.workers),
    retryLimit: host.retryLimit ?? DEFAULT_RETRY_LIMIT,
    retryBaseMs: service.retryBaseMs,
    retryCapMs: service.retryCapMs,
    flushTimeoutMs: host.flushTimeoutMs ?? DEFAULT_FLUSH_TIME_OUT_MS,
    deadLetterFile:
      host.deadLetterFile === undefined ? undefined : resolve(place.file, '..', host.deadLetterFile),
    logLevel: host.logLevel ?? service.logLevel,
    logSuppressIntervalMs: host.logSuppressIntervalMs ?? 0,
    storageLimitBytes: host.storageBytesMax,
    hostEnvironment,
  };
}

const DEFAULT_BUFFER_SIZE = 100_000;
const DEFAULT_RETRY_LIMIT = 1;
const DEFAULT_FLUSH_TIME_OUT_MS = 60_000;

/** What a plugin asks for in vain. */
const RESERVED_KEYS: readonly string[] = [
  ...REFUSED_KEYS,
  ...Object.values(HOST_KEY_NAMES).filter((name) => !name.startsWith('agent.')),
];

/** With none, Fluent Bit flushes in its own thread: one at a time. */
function workersOf(written: number | null | undefined): number {
  return Math.max(1, written ?? 1);
}
