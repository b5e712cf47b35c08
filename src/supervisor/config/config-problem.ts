import { printable } from '../../shared/printable.js';
import { boundedText } from '../log/bounded-fields.js';
import { placeOf } from './key-place.js';

/** Something that is wrong with a key, a table, or the file as a whole. */
export interface ConfigProblem {
  /** Table, key, index in a list; as far as it goes. In `[[outputs]]` the table's index follows its name. */
  readonly path: readonly PropertyKey[];
  /** What would be right, or what is wrong. */
  readonly sentence: string;
  /** What stands there; left out where it is missing or says nothing. */
  readonly value?: unknown;
  /** How the message names the thing; left out for `[table] key`. */
  readonly title?: string;
}

/** Where a key's value came from. */
export interface KeySource {
  lineOf(path: readonly PropertyKey[]): number | undefined;
  /** The environment variable that set the key, if one did. */
  variableOf(path: readonly PropertyKey[]): string | undefined;
}

const SHOWN_MAX = 40;

/** All problems in one message, a line each, in the order of the file. */
export function problemsMessage(
  file: string,
  source: KeySource,
  problems: readonly ConfigProblem[],
  others: readonly string[],
): string {
  const placed = problems
    .map((problem) => ({ line: lineFor(problem, source), text: problemLine(file, source, problem) }))
    .sort((left, right) => left.line - right.line);
  return problemList([...placed.map(({ text }) => text), ...others]);
}

/** One message of some problems, each a sentence with its place: a line each, the first forty of them. */
export function problemList(problems: readonly string[]): string {
  const lines = [...new Set(problems)].map(printable);
  const shown = lines.slice(0, SHOWN_MAX);
  if (lines.length > SHOWN_MAX) shown.push(`… and ${lines.length - SHOWN_MAX} more`);
  return lines.length === 1
    ? shown.join('')
    : `the configuration has ${lines.length} problems:\n${shown.join('\n')}`;
}

/** Those of variables come last. */
function lineFor({ path }: ConfigProblem, source: KeySource): number {
  return source.variableOf(path) === undefined ? (source.lineOf(path) ?? 0) : Number.MAX_SAFE_INTEGER;
}

function problemLine(file: string, source: KeySource, problem: ConfigProblem): string {
  const { path, sentence, value } = problem;
  const index = placeOf(path).rest[0];
  const entry = typeof index === 'number' ? `, entry ${index + 1}` : '';
  const shown = value === undefined ? '' : ` = ${shownValue(value)}`;
  const variable = source.variableOf(path);
  if (variable !== undefined) return `${variable}${entry}${shown}: ${sentence}`;
  const line = source.lineOf(path);
  const place = line === undefined ? file : `${file}:${line}`;
  return `${place}: ${problem.title ?? titleOf(path, value)}${entry}${shown}: ${sentence}`;
}

function titleOf(path: readonly PropertyKey[], value: unknown): string {
  const { table, number, key } = placeOf(path);
  const line = number === undefined ? `[${table}]` : `[[${table}]] ${number}`;
  if (key !== undefined) return `${line} ${key}`;
  return value === undefined || number !== undefined ? line : table;
}

const VALUE_LENGTH_MAX = 80;

function shownValue(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return boundedText(withoutSecrets(text), VALUE_LENGTH_MAX);
}

/** Of web addresses, also of those that are none because of a strange character in their password. */
function withoutSecrets(text: string): string {
  return text
    .replace(/(https?:\/\/)[^\s"]*@/gi, '$1***@')
    .replace(/(https?:\/\/[^\s"?#]*[?#])[^\s"]+/gi, '$1***');
}
