import { join } from 'node:path';
import { z } from 'zod';
import { isHostName } from '../../shared/host-port.js';
import { DEFAULT_HOST_TYPES, HOST_TYPES, type HostTypeName } from '../../shared/host-types.js';
import type { LogLevel } from '../../shared/log.js';
import { ENGINE_CHOICES } from '../../shared/messages.js';
import { GIT_PROTOCOLS } from '../git/git-protocol.js';
import { type Config, FSYNC_POLICIES, POST_NAMESPACES, SPOOL_MODES, type SpoolTable } from './config.js';
import { type HostFacts, hostDefaults } from './host-facts.js';
import {
  folderPath,
  gitTemplate,
  listenAddress,
  listOf,
  ntpServer,
  oneOf,
  optionalFile,
  optionalFolder,
  type PathBase,
  registryAddress,
  seconds,
  setOf,
  table,
  text,
  trueOrFalse,
  wholeNumber,
} from './key-kinds.js';
import { limit } from './limit-kinds.js';
import { firstOutputSchema, furtherOutputsSchema } from './output-schema.js';

/** What the schema needs to know of its surroundings. */
export interface SchemaContext {
  readonly facts: HostFacts;
  /** Folder of the configuration file: relative paths begin there. */
  readonly folder: string;
}

/**
 * Every table and key with its check and its default. Checks that need more than one key, or the file system, are
 * in `config-rules.ts`.
 */
export function configSchema({ facts, folder }: SchemaContext): z.ZodType<Config> {
  const base: PathBase = { folder, home: facts.home };
  const defaults = hostDefaults(facts);
  const tables = z.strictObject({
    agent: table({
      listen: listenAddress().default('127.0.0.1:1232'),
      ifaceprefix: listOf(
        text(/^[^\s/]{1,15}$/, 'must be the beginning of an interface name, like "eth"'),
        '["eth", "en"]',
      ).default(['eth', 'en', 'em', 'bond', 'wl', 'ib']),
      registryaddr: registryAddress(base).default(''),
      registryca: optionalFile(base).default(''),
      registrytimeout: seconds(0.1, 300).default(10),
      pluginsdir: folderPath(base).default(defaults.pluginsdir),
      pluginsuser: text(
        USER,
        'must be a user name or number, or "" for the user that the agent runs as',
      ).default(defaults.pluginsuser),
      git: gitTemplate().default(''),
      gitprotocols: setOf(oneOf(GIT_PROTOCOLS), '["https", "ssh"]').default(['https', 'ssh', 'git']),
      gittimeout: seconds(1, 3_600).default(120),
      postprefix: text(
        /^[-_.a-zA-Z0-9]{0,64}$/,
        'must be at most 64 letters, digits, ".", "_" or "-"',
      ).default(''),
      rundir: folderPath(base).default(defaults.rundir),
      statedir: folderPath(base).default(defaults.statedir),
    }).prefault({}),
    output: firstOutputSchema(base).prefault({}),
    outputs: furtherOutputsSchema(base).default([]),
    spool: table({
      mode: oneOf(SPOOL_MODES).default('overflow'),
      dir: optionalFolder(base).default(''),
      maxbytes: wholeNumber(16_777_216, 1_000_000_000_000_000, 'bytes').default(1_073_741_824),
      fsync: oneOf(FSYNC_POLICIES).default('interval'),
    }).prefault({}),
    log: table({
      logdir: folderPath(base).default(defaults.logdir),
      loglevel: logLevel().default('info'),
      logrotatenum: wholeNumber(1, 1_000, 'files').default(5),
      logrotatesize: wholeNumber(1_000, 1_000_000_000_000, 'bytes').default(104_857_600),
    }).prefault({}),
    http: table({
      tokenfile: optionalFile(base).default(''),
      maxbody: wholeNumber(1_000, 1_073_741_824, 'bytes').default(8_388_608),
      namespaces: oneOf(POST_NAMESPACES).default('any'),
      insecure: trueOrFalse().default(false),
      hosts: setOf(
        z
          .string(HOST_ENTRY)
          .refine(isHostName, HOST_ENTRY)
          .transform((name) => name.toLowerCase()),
        '["monitor.example.com"]',
      ).default([]),
    }).prefault({}),
    runner: table({
      threads: wholeNumber(1, 64, 'threads').default(Math.min(facts.cores, 4)),
      maxprocesses: wholeNumber(1, 10_000, 'processes').default(PROCESSES_PER_CORE * facts.cores),
      maxstreams: wholeNumber(1, 10_000, 'processes').default(1000),
      maxtimeout: seconds(1, 86_400).default(300),
      // A stop waits for it, and must end before whoever asked for it gives up.
      grace: seconds(0, 20).default(2),
      maxoutput: wholeNumber(1_000, 1_073_741_824, 'bytes').default(8_388_608),
      engine: oneOf(ENGINE_CHOICES).default('auto'),
      allowroot: trueOrFalse().default(false),
      allowsetuid: trueOrFalse().default(false),
      cpuseconds: limit('cpuseconds').default(300),
      addressspace: limit('addressspace').default(0),
      openfiles: limit('openfiles').default(1_024),
      filesize: limit('filesize').default(1_073_741_824),
      processes: limit('processes').default(4_096),
      nice: limit('nice').default(0),
      memory: limit('memory').default(1_073_741_824),
      cpus: limit('cpus').default(0),
      cgroup: text(
        /^(?:auto|off|\/[^\0]*)$/,
        'must be "auto", "off", or the absolute path of a cgroup (v2)',
      ).default('auto'),
      environment: setOf(
        text(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable, like "HTTP_PROXY"'),
        '["HTTP_PROXY"]',
      ).default([]),
    }).prefault({}),
    host: table({
      collect: setOf(oneOf(HOST_TYPES), '["CPU", "MEM"]').optional(),
      ntpservers: setOf(ntpServer(), '["ntp.example.com"]').default([]),
      cgroup: trueOrFalse().default(false),
      coredumpfolder: folderPath(base).default('/home/coresave'),
      fstimeout: seconds(0.1, 60).default(5),
    }).prefault({}),
  });
  return tables.transform(({ host: { collect, ...host }, ...config }) => ({
    ...config,
    spool: withFolder(config.spool, config.agent),
    host: { collect: collect ?? usualTypes(host), ...host },
  }));
}

/** Whoever names servers wants to know the time. */
function usualTypes({ ntpservers }: { readonly ntpservers: readonly string[] }): readonly HostTypeName[] {
  return ntpservers.length === 0 ? DEFAULT_HOST_TYPES : [...DEFAULT_HOST_TYPES, 'TIME'];
}

/** The folder of the spool is in the state folder unless it is named. */
function withFolder(spool: SpoolTable, { statedir }: { readonly statedir: string }): SpoolTable {
  return { ...spool, dir: spool.dir === '' ? spoolFolderIn(statedir) : spool.dir };
}

/** Where the spool of an agent is that names no folder for it. */
export function spoolFolderIn(statedir: string): string {
  return join(statedir, 'spool');
}

/** Tables of other agents' files that mean nothing here, and are no mistake. */
export const FOREIGN_TABLES: readonly string[] = ['trace', 'member'];

/** Keys of other agents' files that mean nothing here, and are no mistake. */
export const FOREIGN_KEYS: readonly { readonly table: string; readonly key: string }[] = [
  { table: 'agent', key: 'ntpserver' },
];

/** Plugins mostly wait; more at once only get in each other's way. */
const PROCESSES_PER_CORE = 4;

const USER = /^(?:[a-z_A-Z0-9][a-zA-Z0-9_.-]{0,31}\$?)?$/;
const HOST_ENTRY = 'must be a host name without scheme and port, like "monitor.example.com"';

const LOG_LEVELS_BY_NAME: Readonly<Record<string, LogLevel>> = {
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
  FATAL: 'fatal',
};

/** In upper or lower case; it comes out as the log's own name of the level. */
function logLevel() {
  const names = Object.keys(LOG_LEVELS_BY_NAME);
  const sentence = `must be one of ${names.join(', ')}`;
  return z.string(sentence).transform((name, context) => {
    const level = names.find((known) => known === name.toUpperCase());
    if (level === undefined) {
      context.addIssue({ code: 'custom', message: sentence });
      return z.NEVER;
    }
    return LOG_LEVELS_BY_NAME[level] ?? 'info';
  });
}
