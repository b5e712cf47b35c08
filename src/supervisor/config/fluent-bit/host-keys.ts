import type { GoOutputSettings, PluginLogLevel, RetryLimit } from '../../../shared/output-settings.js';

/**
 * Keys of an output that its host keeps for itself and never hands to the plugin: those that mean something here, and
 * how their text is read.
 */

/** Levels of Fluent Bit, the quietest first. */
const LOG_LEVELS = ['off', 'error', 'warn', 'info', 'debug', 'trace'] as const;

/** How the tags stand in a record: as a map of their own, or beside the value. */
const RECORD_FORMATS = ['nested', 'flat'] as const;

/** What the host's keys of one output say; a key that is not set is undefined. */
export interface HostKeys {
  readonly alias: string | undefined;
  /** Of the tag, `*` for any text. */
  readonly match: string | undefined;
  /** A regular expression of the tag. */
  readonly matchRegex: string | undefined;
  readonly retryLimit: RetryLimit | undefined;
  /** Flushes at once. */
  readonly workers: number | undefined;
  readonly logLevel: PluginLogLevel | undefined;
  /** Milliseconds within which a line that is like the last one is not written again; 0: all are written. */
  readonly logSuppressIntervalMs: number | undefined;
  /** Bytes on disk. */
  readonly storageBytesMax: number | undefined;
  readonly format: GoOutputSettings['format'] | undefined;
  /** Points held in memory. */
  readonly bufferSize: number | undefined;
  readonly flushTimeoutMs: number | undefined;
  /** As it is written. */
  readonly deadLetterFile: string | undefined;
}

/** A text that was read, or what would be right. */
export type KeyReading<T> = { readonly value: T } | { readonly problem: string };

type Readers = { readonly [K in keyof HostKeys]: (text: string) => KeyReading<HostKeys[K]> };

/** How the text of each key is read. */
export const HOST_KEY_READERS: Readers = {
  alias: readAlias,
  match: readMatch,
  matchRegex: readMatchRegex,
  retryLimit: readRetryLimit,
  workers: (text) => readWhole(text, 0, 64, 'flushes at once'),
  logLevel: readLogLevel,
  logSuppressIntervalMs: readInterval,
  storageBytesMax: readBytes,
  format: readFormat,
  bufferSize: (text) => readWhole(text, 1, 100_000_000, 'points'),
  flushTimeoutMs: (text) => readSeconds(text, 0.1, 3600),
  deadLetterFile: (text) => ({ value: text }),
};

/** The names that the keys have in files of Fluent Bit. The last ones are this agent's own. */
export const HOST_KEY_NAMES: { readonly [K in keyof HostKeys]: string } = {
  alias: 'alias',
  match: 'match',
  matchRegex: 'match_regex',
  retryLimit: 'retry_limit',
  workers: 'workers',
  logLevel: 'log_level',
  logSuppressIntervalMs: 'log_suppress_interval',
  storageBytesMax: 'storage.total_limit_size',
  format: 'agent.format',
  bufferSize: 'agent.buffersize',
  flushTimeoutMs: 'agent.flush_timeout',
  deadLetterFile: 'agent.dead_letter_file',
};

/** Keys of nothing set. */
export const NO_HOST_KEYS: HostKeys = {
  alias: undefined,
  match: undefined,
  matchRegex: undefined,
  retryLimit: undefined,
  workers: undefined,
  logLevel: undefined,
  logSuppressIntervalMs: undefined,
  storageBytesMax: undefined,
  format: undefined,
  bufferSize: undefined,
  flushTimeoutMs: undefined,
  deadLetterFile: undefined,
};

/** Keys that a host keeps for itself, too, and that mean nothing for a Golang output here. Lower case. */
export const REFUSED_KEYS: readonly string[] = [
  'host',
  'ipv6',
  'listen',
  'mem_buf_limit',
  'port',
  'routable',
  'storage.pause_on_chunks_overlimit',
  'storage.type',
  'tag',
  'threaded',
  'tls',
  'tls.ca_file',
  'tls.ca_path',
  'tls.crt_file',
  'tls.debug',
  'tls.key_file',
  'tls.key_passwd',
  'tls.verify',
  'tls.vhost',
];

/** What is wrong with a key of those. */
export const REFUSED_SENTENCE =
  'is a key that the host keeps for itself: it means nothing to this agent, and a plugin never gets it; remove it, and ' +
  'give the plugin its address or certificates by keys of its own';

function readAlias(text: string): KeyReading<string> {
  if (/^[A-Za-z0-9_-]{1,32}$/.test(text)) return { value: text };
  return {
    problem:
      'must be 1 to 32 letters, digits, "_" or "-": it names the output in log and status, and its folder',
  };
}

function readMatch(text: string): KeyReading<string> {
  if (text.length <= 1000) return { value: text };
  return { problem: 'must be at most 1000 characters of a tag, with "*" for any text' };
}

function readMatchRegex(text: string): KeyReading<string> {
  try {
    new RegExp(text);
    return { value: text };
  } catch {
    return { problem: 'must be a regular expression, like ^collect[.]web' };
  }
}

function readRetryLimit(text: string): KeyReading<RetryLimit> {
  const word = text.toLowerCase();
  if (['no_limits', 'false', 'off'].includes(word)) return { value: 'unlimited' };
  if (word === 'no_retries') return { value: 'none' };
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= 1_000_000_000) return { value: count };
  return { problem: 'must be a number of retries from 1, no_limits (also false, off), or no_retries' };
}

/** The level of a service or an output. */
export function readLogLevel(text: string): KeyReading<PluginLogLevel> {
  const word = text.toLowerCase();
  const level = LOG_LEVELS.find((name) => name === (word === 'warning' ? 'warn' : word));
  // The finest that there is here.
  if (level === 'trace') return { value: 'debug' };
  if (level !== undefined) return { value: level };
  return { problem: `must be one of ${LOG_LEVELS.join(', ')}` };
}

const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

function readInterval(text: string): KeyReading<number> {
  const [, digits, unit = ''] = /^(\d{1,9})([smhd]?)$/i.exec(text) ?? [];
  const factor = SECONDS[unit.toLowerCase()];
  const ms = Number(digits) * (factor ?? 0) * 1000;
  if (digits !== undefined && factor !== undefined && ms <= 86_400_000 * 365) return { value: ms };
  return { problem: 'must be a length of time, like 10 (seconds), 30s, 5m or 1h; 0 writes every line' };
}

const BYTES: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

const STORAGE_BYTES_MAX = 1e15;

function readBytes(text: string): KeyReading<number | undefined> {
  if (['off', 'false'].includes(text.toLowerCase())) return { value: undefined };
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([kmg]?)b?$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(digits) * (BYTES[unit.toLowerCase()] ?? 0));
  if (digits !== undefined && bytes >= 1 && bytes <= STORAGE_BYTES_MAX) return { value: bytes };
  return { problem: 'must be a number of bytes, like 500M or 2G, or off' };
}

function readFormat(text: string): KeyReading<GoOutputSettings['format']> {
  const format = RECORD_FORMATS.find((name) => name === text.toLowerCase());
  if (format !== undefined) return { value: format };
  return { problem: `must be one of ${RECORD_FORMATS.join(', ')}: how the tags stand in a record` };
}

/** A length of time in seconds, fractions allowed; in milliseconds when it comes out. */
export function readSeconds(text: string, least: number, most: number): KeyReading<number> {
  const value = Number(text);
  if (/^\d+(?:\.\d+)?$/.test(text) && value >= least && value <= most) return { value: value * 1000 };
  return { problem: `must be a number of seconds from ${least} to ${most}` };
}

function readWhole(text: string, least: number, most: number, unit: string): KeyReading<number> {
  const value = Number(text);
  if (/^\d{1,12}$/.test(text) && value >= least && value <= most) return { value };
  return { problem: `must be a whole number of ${unit} from ${least} to ${most}` };
}
