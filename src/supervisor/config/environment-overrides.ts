import { printable } from '../../shared/printable.js';
import { LIST_OF_TABLES } from './key-place.js';
import { nearestName } from './nearest-name.js';
import { readToml } from './toml-document.js';

/** Names of the keys of each table, and a value of each by which its type is known. */
export type KeysByTable = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A key that a variable sets. */
export interface EnvironmentOverride {
  readonly variable: string;
  readonly table: string;
  readonly key: string;
  /** The variable's text, read as the key's type; as it stands where that failed, for the key's own check. */
  readonly value: unknown;
}

/** What the environment says. */
export interface EnvironmentReading {
  readonly overrides: readonly EnvironmentOverride[];
  /** Sentences about variables that name no key of a table. */
  readonly problems: readonly string[];
  /** Names of variables that look like settings and name no table either. */
  readonly strangers: readonly string[];
}

/** What the launcher says, and what plugins get: an agent that a plugin or another agent has started inherits it. */
const OF_THE_AGENT: ReadonlySet<string> = new Set([
  'AGENT_NOHUP',
  'AGENT_NAMESPACE',
  'AGENT_PLUGIN',
  'AGENT_INTERVAL',
  'AGENT_TIMEOUT',
  'AGENT_STATE',
]);

/**
 * The variables `AGENT_<TABLE>_<KEY>`. One that begins with a table's name and names no key is a problem; any other
 * `AGENT_…` may be somebody else's, or a slip.
 */
export function environmentOverrides(environment: NodeJS.ProcessEnv, keys: KeysByTable): EnvironmentReading {
  const overrides: EnvironmentOverride[] = [];
  const problems: string[] = [];
  const strangers: string[] = [];
  for (const [variable, text] of Object.entries(environment)) {
    if (text === undefined || !variable.startsWith('AGENT_') || OF_THE_AGENT.has(variable)) continue;
    const table = Object.keys(keys).find((name) => variable.startsWith(variableName(name, '')));
    if (table === undefined) {
      strangers.push(variable);
      continue;
    }
    if (table === LIST_OF_TABLES) {
      problems.push(`${variable}: variables cannot set keys of [[${table}]]: write them into the file`);
      continue;
    }
    const known = keys[table] ?? {};
    const key = Object.keys(known).find((name) => variableName(table, name) === variable);
    if (key === undefined) problems.push(unknownVariable(variable, table, Object.keys(known)));
    else overrides.push({ variable, table, key, value: readAs(text, known[key]) });
  }
  return { overrides, problems, strangers };
}

/** Names that the warning has, at most. */
const STRANGERS_SHOWN_MAX = 20;

/**
 * The warning about variables that set no key, if there are any. Their values are not shown: they may be secrets.
 * @param passed those that the configuration gives to plugins
 */
export function strangerWarnings(strangers: readonly string[], passed: readonly string[]): readonly string[] {
  const names = strangers.filter((name) => !passed.includes(name));
  if (names.length === 0) return [];
  const shown = names.slice(0, STRANGERS_SHOWN_MAX).map(printable).join(', ');
  const more = names.length > STRANGERS_SHOWN_MAX ? ` and ${names.length - STRANGERS_SHOWN_MAX} more` : '';
  return [
    `these variables set no key: ${shown}${more}; those that do are AGENT_<TABLE>_<KEY>, like AGENT_LOG_LOGLEVEL`,
  ];
}

/** The variable that overrides a key. */
function variableName(table: string, key: string): string {
  return `AGENT_${table}_${key}`.toUpperCase();
}

function unknownVariable(variable: string, table: string, keys: readonly string[]): string {
  const near = nearestName(variable.slice(variableName(table, '').length), keys);
  const wayOut =
    near === undefined ? `its keys are ${keys.join(', ')}` : `did you mean ${variableName(table, near)}?`;
  return `${variable}: this variable names no key of [${table}], ${wayOut}`;
}

function readAs(text: string, like: unknown): unknown {
  if (Array.isArray(like)) return readList(text);
  if (typeof like === 'number') return /^-?[0-9]+(?:\.[0-9]+)?$/.test(text) ? Number(text) : text;
  if (typeof like === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return text;
}

/** `a,b`, or a list as it would stand in the file. */
function readList(text: string): unknown {
  if (text.trimStart().startsWith('[')) {
    try {
      return readToml(`list = ${text}`).data.list;
    } catch {
      // Then its entries are wrong, and are named.
    }
  }
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}
