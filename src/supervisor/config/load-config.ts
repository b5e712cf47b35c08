import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import type { Config } from './config.js';
import { type ConfigProblem, type KeySource, problemsMessage } from './config-problem.js';
import { ruleProblems } from './config-rules.js';
import { configSchema, FOREIGN_KEYS, FOREIGN_TABLES } from './config-schema.js';
import { configWarnings } from './config-warnings.js';
import {
  type EnvironmentOverride,
  environmentOverrides,
  type KeysByTable,
  strangerWarnings,
} from './environment-overrides.js';
import { type HostFacts, hostFacts } from './host-facts.js';
import { LIST_OF_TABLES, placeOf } from './key-place.js';
import { check, type Tables, valueAt } from './schema-check.js';
import { isRecord, readToml, type TomlDocument, TomlError } from './toml-document.js';

/** A configuration that can be used. */
export interface LoadedConfig {
  readonly config: Config;
  /** Absolute path of the file. */
  readonly file: string;
  /** Sentences for the log. */
  readonly warnings: readonly string[];
}

/**
 * Reads the configuration file and the variables `AGENT_<TABLE>_<KEY>`, and checks everything.
 * Throws CodedError('config') with all problems in one message, a line each.
 */
export function loadConfig(
  path: string,
  environment: NodeJS.ProcessEnv,
  facts: HostFacts = hostFacts(environment),
): LoadedConfig {
  const { config, file, warnings, problems, message } = readConfig(path, environment, facts);
  if (problems.length > 0) throw new CodedError('config', message());
  return { config: deepFreeze(config), file, warnings };
}

/** Where an agent of a configuration has its run record, its plugins, its state and its spool. */
export interface AgentFolders {
  readonly rundir: string;
  readonly pluginsdir: string;
  readonly statedir: string;
  readonly spooldir: string;
}

const FOLDER_KEYS: ReadonlySet<string> = new Set([
  'agent.rundir',
  'agent.pluginsdir',
  'agent.statedir',
  'spool.dir',
]);

/**
 * Reads of a configuration what it takes to find its agent. An agent that runs must be found, and ended, when its file
 * has become wrong since: values of other keys do not matter here.
 * Throws CodedError('config') when the folders are in doubt.
 */
export function loadFolders(path: string, environment: NodeJS.ProcessEnv): AgentFolders {
  const { config, keys, problems, message } = readConfig(path, environment, hostFacts(environment));
  const isHarmless = (path: readonly PropertyKey[]) => {
    const { table, key = '' } = placeOf(path);
    if (table === LIST_OF_TABLES) return true;
    return Object.hasOwn(keys[table] ?? {}, key) && !FOLDER_KEYS.has(`${table}.${key}`);
  };
  if (!problems.every((problem) => isHarmless(problem.path))) throw new CodedError('config', message());
  const { rundir, pluginsdir, statedir } = config.agent;
  return { rundir, pluginsdir, statedir, spooldir: config.spool.dir };
}

interface ConfigReading {
  /** Where a key is wrong it has its default. */
  readonly config: Config;
  readonly file: string;
  readonly warnings: readonly string[];
  readonly keys: KeysByTable;
  readonly problems: readonly Pick<ConfigProblem, 'path'>[];
  /** All problems in one message. */
  readonly message: () => string;
}

function readConfig(path: string, environment: NodeJS.ProcessEnv, facts: HostFacts): ConfigReading {
  const file = resolve(path);
  const document = readDocument(path);
  const schema = configSchema({ facts, folder: dirname(file) });
  const keys = keysOf(schema);
  const { overrides, problems: others, strangers } = environmentOverrides(environment, keys);
  const { tables, warnings } = withoutForeign(document, path);
  for (const override of overrides) apply(tables, override);

  const { config, problems } = check(schema, tables, keys);
  const isKnownWrong = wrongKeyCheck(problems);
  const context = { file, root: facts.root, home: facts.home, writtenOutputs: writtenOutputs(tables) };
  for (const { keys: about, sentence } of ruleProblems(config, context)) {
    if (!about.some(isKnownWrong)) problems.push(ruleProblem(about[0], sentence, tables));
  }
  return {
    config,
    file,
    warnings: [
      ...warnings,
      ...strangerWarnings(strangers, config.runner.environment),
      ...configWarnings(config),
    ],
    keys,
    problems: [...problems, ...others.map(() => ({ path: [] }))],
    message: () => problemsMessage(path, keySource(document, overrides), problems, others),
  };
}

/** The tables and keys that there are, with their defaults. */
function keysOf(schema: z.ZodType<Config>): KeysByTable {
  const defaults = schema.parse({ [LIST_OF_TABLES]: [{}] });
  return Object.fromEntries(
    Object.entries(defaults).map(([name, table]) => [name, { ...(Array.isArray(table) ? table[0] : table) }]),
  );
}

/** Keys and tables that are wrong by themselves say no more when they are seen together with others. */
function wrongKeyCheck(problems: readonly ConfigProblem[]): (name: string) => boolean {
  const wrong = new Set(
    problems.map(({ path }) => path.slice(0, path.length - placeOf(path).rest.length).join('.')),
  );
  return (name) => {
    const parts = name.split('.');
    return parts.some((_, place) => wrong.has(parts.slice(0, place + 1).join('.')));
  };
}

/** The keys that stand in each of the further outputs. */
function writtenOutputs(tables: Tables): string[][] {
  const outputs = tables[LIST_OF_TABLES];
  if (!Array.isArray(outputs)) return [];
  return outputs.map((output) => (isRecord(output) ? Object.keys(output) : []));
}

const FILE_BYTES_MAX = 1_048_576;

function readDocument(path: string): TomlDocument {
  try {
    return readToml(readText(path));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const place = error.line === undefined ? path : `${path}:${error.line}`;
    throw new CodedError('config', `${place}: not valid TOML: ${error.message}`, { cause: error });
  }
}

function readText(path: string): string {
  const refuse = (sentence: string, cause?: unknown) =>
    new CodedError('config', `${path}: ${sentence}`, { cause });
  let bytes: Buffer;
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) throw refuse('this is a folder: name the configuration file in it');
    if (!stats.isFile()) throw refuse('this is no regular file');
    if (stats.size > FILE_BYTES_MAX)
      throw refuse(`larger than ${FILE_BYTES_MAX} bytes, that is no configuration`);
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw refuse(readProblem(error), error);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw refuse('not UTF-8 text', error);
  }
}

function readProblem(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such configuration file: name one with -f';
    case 'EACCES':
    case 'EPERM':
      return `the user with id ${process.getuid?.()} may not read this configuration file`;
    default:
      return `the configuration file cannot be read: ${reasonOf(error)}`;
  }
}

function withoutForeign(
  { data, lineOf }: TomlDocument,
  path: string,
): { tables: Tables; warnings: string[] } {
  const tables: Tables = Object.create(null);
  for (const [name, table] of Object.entries(data)) {
    if (!FOREIGN_TABLES.includes(name)) tables[name] = isRecord(table) ? { ...table } : table;
  }
  const warnings: string[] = [];
  const foreign = FOREIGN_TABLES.filter((name) => Object.hasOwn(data, name)).map((name) => `[${name}]`);
  if (foreign.length > 0)
    warnings.push(`${path}: this agent has no use for ${foreign.join(' and ')}, ignored`);
  for (const { table, key } of FOREIGN_KEYS) {
    const holder = tables[table];
    if (!isRecord(holder) || !Object.hasOwn(holder, key)) continue;
    delete holder[key];
    warnings.push(
      `${path}:${lineOf([table, key])}: [${table}] ${key}: this agent has no use for it, ignored`,
    );
  }
  return { tables, warnings };
}

function apply(tables: Tables, { table, key, value }: EnvironmentOverride): void {
  const holder = tables[table] ?? {};
  if (isRecord(holder)) tables[table] = { ...holder, [key]: value };
}

function ruleProblem(name: string, sentence: string, tables: Tables): ConfigProblem {
  const path = name.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  const value = valueAt(tables, path);
  return isRecord(value) ? { path, sentence } : { path, sentence, value };
}

function keySource({ lineOf }: TomlDocument, overrides: readonly EnvironmentOverride[]): KeySource {
  return {
    lineOf,
    variableOf: ([table, key]) =>
      overrides.find((override) => override.table === table && override.key === key)?.variable,
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
