import { isIPv6 } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { asClientAddress, formatHostPort, isHostName, parseHostPort } from '../../shared/host-port.js';
import { isTemplate } from '../git/repository.js';

/*
 * The kinds of values that keys have. Every kind has one sentence that says what would be right; it stands in the
 * message whatever the value fails on, so that one look at the message is enough.
 */

/** A table: no other keys than these. */
export function table<T extends z.ZodRawShape>(
  keys: T,
  sentence = 'must be a table: a line with its name in brackets, and its keys below',
) {
  return z.strictObject(keys, {
    error: (issue) => (issue.code === 'invalid_type' ? sentence : undefined),
  });
}

/** A whole number with bounds, both included. `unit` is for the sentence. */
export function wholeNumber(least: number, most: number, unit: string) {
  const sentence = `must be a whole number of ${unit} from ${least} to ${most}`;
  return z.number(sentence).int(sentence).min(least, sentence).max(most, sentence);
}

/** A length of time in seconds, fractions allowed. */
export function seconds(least: number, most: number) {
  const sentence = `must be a number of seconds from ${least} to ${most}`;
  return z.number(sentence).min(least, sentence).max(most, sentence);
}

/** A switch. */
export function trueOrFalse() {
  return z.boolean('must be true or false, without quotes');
}

/** One of a few words, exactly as written. */
export function oneOf<const T extends readonly [string, ...string[]]>(words: T) {
  return z.enum(words, `must be one of ${words.map((word) => JSON.stringify(word)).join(', ')}`);
}

/** Text that matches `pattern`. */
export function text(pattern: RegExp, sentence: string) {
  return z.string(sentence).regex(pattern, sentence);
}

/** A list whose entries are of one kind. */
export function listOf<T extends z.ZodType>(entry: T, example: string) {
  return z.array(entry, `must be a list, like ${example}`);
}

/** Like listOf; entries that stand in it twice are taken once. */
export function setOf<T extends z.ZodType>(entry: T, example: string) {
  return listOf(entry, example).transform((entries) => [...new Set(entries)]);
}

/** Where relative paths begin and what `~` means. */
export interface PathBase {
  /** Folder of the configuration file. */
  readonly folder: string;
  readonly home: string;
}

const PATH = /^[^\0]+$/;

/** Path of a folder that is needed; it comes out absolute. */
export function folderPath(base: PathBase) {
  const sentence = 'must be the path of a folder, in double quotes';
  return text(PATH, sentence).transform((path) => absolutePath(path, base));
}

/** Path of a file, absolute when it comes out, or empty for none. */
export function optionalFile(base: PathBase) {
  const sentence = 'must be the path of a file, in double quotes, or "" for none';
  return text(/^[^\0]*$/, sentence).transform((path) => (path === '' ? '' : absolutePath(path, base)));
}

/** Path of a folder, absolute when it comes out, or empty for the default. */
export function optionalFolder(base: PathBase) {
  const sentence = 'must be the path of a folder, in double quotes, or "" for the default';
  return text(/^[^\0]*$/, sentence).transform((path) => (path === '' ? '' : absolutePath(path, base)));
}

function absolutePath(path: string, base: PathBase): string {
  if (path === '~' || path.startsWith('~/')) return join(base.home, path.slice(1));
  return resolve(base.folder, path);
}

/** Where the HTTP server listens. */
export function listenAddress() {
  const sentence = 'must be host:port or :port, like "127.0.0.1:1232", with a port from 0 to 65535';
  return z.string(sentence).refine((address) => parseHostPort(address) !== undefined, sentence);
}

/** Where a client connects to. "All interfaces" is taken as this host. */
export function serverAddress() {
  const sentence = 'must be host:port, like "nsqd.example.com:4150", with a port from 1 to 65535';
  return z.string(sentence).transform((address, context) => {
    const parts = parseHostPort(address);
    if (parts === undefined || parts.port === 0) {
      context.addIssue({ code: 'custom', message: sentence });
      return z.NEVER;
    }
    return formatHostPort(asClientAddress(parts));
  });
}

const NTP_PORT = 123;

/** An NTP server: a host, or `host:port`; it comes out with the port. */
export function ntpServer() {
  const sentence = 'must be a host name or address, or host:port, like "ntp.example.com" or "10.0.0.1:123"';
  return z.string(sentence).transform((address, context) => {
    const host = address.replace(/^\[(.*)\]$/, '$1');
    const isHostOnly = isIPv6(host) || isHostName(host);
    const parts = isHostOnly ? { host, port: NTP_PORT } : parseHostPort(address);
    if (parts !== undefined && parts.host !== '' && parts.port !== 0) return formatHostPort(parts);
    context.addIssue({ code: 'custom', message: sentence });
    return z.NEVER;
  });
}

/** Where an nsqlookupd answers in HTTP: `host:port`, or an http(s) URL; like `registryaddr` it can hold a password. */
export function lookupdAddress() {
  const sentence =
    'must be host:port or an http:// or https:// address, like "nsqlookupd.example.com:4161", with a port from 1 to 65535';
  return z.string(sentence).transform((address, context) => {
    if (address.includes('://')) {
      const reading = webAddress(address, sentence);
      if ('value' in reading) return reading.value;
      context.addIssue({ code: 'custom', message: reading.problem });
      return z.NEVER;
    }
    const parts = parseHostPort(address);
    if (parts !== undefined && parts.port !== 0) return formatHostPort(asClientAddress(parts));
    context.addIssue({ code: 'custom', message: sentence });
    return z.NEVER;
  });
}

/** The base address of an InfluxDB: http(s) URL without a slash at its end; may be empty. */
export function databaseAddress() {
  const sentence = 'must be an http:// or https:// address, like "https://influxdb.example.com:8086"';
  return z.string(sentence).transform((address, context) => {
    const reading = address === '' ? { value: '' } : plainWebAddress(address, sentence);
    if ('value' in reading) return reading.value;
    context.addIssue({ code: 'custom', message: reading.problem });
    return z.NEVER;
  });
}

/** The registry's address: http(s) URL without a slash at its end, or `file:` and an absolute path; may be empty. */
export function registryAddress(base: PathBase) {
  return z.string(REGISTRY_SENTENCE).transform((address, context) => {
    const reading = address.startsWith('file:') ? fileAddress(address, base) : webAddress(address);
    if ('value' in reading) return reading.value;
    context.addIssue({ code: 'custom', message: reading.problem });
    return z.NEVER;
  });
}

const REGISTRY_SENTENCE =
  'must be an http:// or https:// address, or "file:" and the path of a JSON document';

type Reading = { readonly value: string } | { readonly problem: string };

function fileAddress(address: string, base: PathBase): Reading {
  try {
    if (address.startsWith('file://')) return { value: `file:${fileURLToPath(address)}` };
  } catch {
    return { problem: REGISTRY_SENTENCE };
  }
  const path = address.slice('file:'.length);
  return PATH.test(path) ? { value: `file:${absolutePath(path, base)}` } : { problem: REGISTRY_SENTENCE };
}

function webAddress(address: string, sentence = REGISTRY_SENTENCE): Reading {
  if (address === '') return { value: '' };
  if (!/^https?:\/\/[^/]/i.test(address) || !URL.canParse(address)) return { problem: sentence };
  const url = new URL(address);
  if (url.port === '0') return { problem: 'must have a port from 1 to 65535' };
  if (url.search !== '' || url.hash !== '') return { problem: 'must end before any "?" or "#"' };
  return { value: url.href.replace(/\/+$/, '') };
}

/** A web address without user and password. */
function plainWebAddress(address: string, sentence: string): Reading {
  const reading = webAddress(address, sentence);
  if (!('value' in reading)) return reading;
  const { username, password } = new URL(reading.value);
  return username === '' && password === '' ? reading : { problem: CREDENTIALS_SENTENCE };
}

const CREDENTIALS_SENTENCE =
  'must not hold a user or password: give them as username and passwordfile, or a token as tokenfile';

/** The template by which `group/project` becomes a git address, or empty. */
export function gitTemplate() {
  const sentence =
    'must be an address with exactly one %s, where group/project goes, like "https://git.example.com/%s.git"';
  return z.string(sentence).refine((template) => template === '' || isTemplate(template), sentence);
}
