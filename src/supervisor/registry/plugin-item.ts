import { CodedError } from '../../shared/coded-error.js';
import { pluginNameOf } from '../../shared/measurement.js';
import { PLUGIN_FORMATS, PLUGIN_MODES } from '../../shared/plugin-format.js';
import { quoted } from '../../shared/quoted.js';
import type { GitProtocol } from '../git/git-protocol.js';
import { resolveRepository } from '../git/repository.js';
import { withoutCredentials } from '../log/credentials.js';
import { parseLimits } from './item-limits.js';
import type { PluginDefinition, PluginInterval } from './plugin-definition.js';
import { parsePluginInterval } from './plugin-interval.js';
import { parsePin } from './plugin-pin.js';

/** An item's fields, whatever they hold. */
export type ItemFields = Readonly<Record<string, unknown>>;

/** What the configuration says about where plugins come from. */
export interface RepositoryRules {
  /** `[agent] git`: holds `%s` once, or is empty. */
  readonly template: string;
  readonly protocols: ReadonlySet<GitProtocol>;
}

/** Checks an item of the type PLUGIN with care. Throws CodedError with the reason why it cannot be followed. */
export function definePlugin(namespace: string, item: ItemFields, rules: RepositoryRules): PluginDefinition {
  const name = parseName(fieldText(item, 'name'));
  const repo = fieldText(item, 'git');
  const { project, address } = resolveRepository(repo, rules.template, rules.protocols);
  const mode = oneOf(item, 'mode', PLUGIN_MODES);
  const interval: PluginInterval =
    mode === 'stream' ? { kind: 'on-demand' } : parsePluginInterval(fieldText(item, 'interval'));
  const parameters = parseParameters(optionalFieldText(item, 'parameters'));
  const format = oneOf(item, 'format', PLUGIN_FORMATS);
  const pin = parsePin(optionalFieldText(item, 'commit'), optionalFieldText(item, 'sha256'));
  const limits = parseLimits((field) => optionalFieldText(item, field));
  return {
    namespace,
    project,
    name,
    // A token in the address is for git alone: the text stands in points, listings and answers.
    repo: withoutCredentials(repo),
    address,
    interval,
    parameters,
    mode,
    format,
    ...(pin !== undefined && { pin }),
    ...(limits !== undefined && { limits }),
  };
}

/** Which project an item of the type PLUGIN is about, whatever else is wrong with it; undefined when it does not tell. */
export function projectOf(item: ItemFields, rules: RepositoryRules): string | undefined {
  if (item.measurement_type !== 'PLUGIN') return undefined;
  try {
    return resolveRepository(fieldText(item, 'git'), rules.template, rules.protocols).project;
  } catch {
    // What is wrong with it has been said.
    return undefined;
  }
}

/** A field that may come as a number where a text is usual; undefined when it is missing or null. */
function optionalFieldText(item: ItemFields, field: string): string | undefined {
  const value = Object.hasOwn(item, field) ? item[field] : undefined;
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  throw new CodedError(
    'item',
    `"${field}" is ${typeof value === 'object' ? 'no text' : `a ${typeof value}`}`,
  );
}

const NAME = /^[-_.a-zA-Z0-9]+$/;
const NAME_MAX_CHARACTERS = 200;
const PARAMETERS_MAX = 256;
const PARAMETERS_MAX_CHARACTERS = 32_768;

function fieldText(item: ItemFields, field: string): string {
  const text = optionalFieldText(item, field);
  if (text === undefined) throw new CodedError('item', `"${field}" is missing or no text`);
  return text;
}

function parseName(registryName: string): string {
  const name = pluginNameOf(registryName);
  if (name.length > NAME_MAX_CHARACTERS) {
    throw new CodedError('item', `the name is longer than ${NAME_MAX_CHARACTERS} characters`);
  }
  if (!NAME.test(name)) {
    throw new CodedError('item', 'the name is not made of letters, digits, "-", "_" and "."');
  }
  return name;
}

function parseParameters(text = ''): string[] {
  if (text.length > PARAMETERS_MAX_CHARACTERS) {
    throw new CodedError('item', `the parameters are longer than ${PARAMETERS_MAX_CHARACTERS} characters`);
  }
  if (text.includes('\0')) throw new CodedError('item', 'the parameters hold a NUL character');
  const parameters = text.split(' ').filter((parameter) => parameter !== '');
  if (parameters.length > PARAMETERS_MAX) {
    throw new CodedError('item', `there are more than ${PARAMETERS_MAX} parameters`);
  }
  return parameters;
}

/** A field that names one of a few things, the first when it is missing; empty is as good, as forms send that. */
function oneOf<T extends string>(item: ItemFields, field: string, names: readonly [T, ...T[]]): T {
  const text = optionalFieldText(item, field) ?? '';
  if (text === '') return names[0];
  const name = names.find((known) => known === text);
  if (name === undefined) {
    throw new CodedError('item', `${field} ${quoted(text, 40)} is none of ${names.join(', ')}`);
  }
  return name;
}
