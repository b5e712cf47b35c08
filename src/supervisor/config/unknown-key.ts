import type { ConfigProblem } from './config-problem.js';
import type { KeysByTable } from './environment-overrides.js';
import { LIST_OF_TABLES, placeOf } from './key-place.js';
import { nearestName } from './nearest-name.js';
import { KEYS_OF_ALL_OUTPUTS } from './output-schema.js';
import { isRecord } from './toml-document.js';

/** The problem of a table or key that the agent does not have, with what was probably meant. */
export function unknownKeyProblem(
  path: readonly PropertyKey[],
  value: unknown,
  keys: KeysByTable,
): ConfigProblem {
  const { table, key } = placeOf(path);
  if (key !== undefined) return { path, sentence: unknownKey(table, key, keys) };
  if (isRecord(value) || (Array.isArray(value) && value.some(isRecord))) return unknownTable(table, keys);
  return keyOutsideTables(table, keys);
}

function unknownKey(table: string, key: string, keys: KeysByTable): string {
  if (table === LIST_OF_TABLES && KEYS_OF_ALL_OUTPUTS.some((name) => name === key)) {
    return 'holds for all outputs: it belongs in [output]';
  }
  return `unknown key, ${keySuggestion(table, key, keys)}`;
}

function unknownTable(name: string, keys: KeysByTable): ConfigProblem {
  const tables = Object.keys(keys);
  const near = nearestName(name, tables);
  const wayOut =
    near === undefined
      ? `the tables are ${tables.map(inBrackets).join(', ')}`
      : `did you mean ${inBrackets(near)}?`;
  return { path: [name], sentence: `unknown table, ${wayOut}` };
}

/** The value is not shown: it may well be a secret. */
function keyOutsideTables(name: string, keys: KeysByTable): ConfigProblem {
  const all = Object.entries(keys).flatMap(([table, known]) =>
    Object.keys(known).map((key) => ({ table, key })),
  );
  const near = nearestName(
    name,
    all.map(({ key }) => key),
  );
  const home = all.find(({ key }) => key === near);
  const problem = (wayOut: string) => ({
    path: [name],
    title: name,
    sentence: `unknown key outside of all tables, ${wayOut}`,
  });
  if (home === undefined) {
    return problem(
      `every key stands below the line of its table: ${Object.keys(keys).map(inBrackets).join(', ')}`,
    );
  }
  if (near === name) return problem(`it belongs below the line [${home.table}]`);
  return problem(`did you mean ${near}, below the line [${home.table}]?`);
}

function keySuggestion(table: string, key: string, keys: KeysByTable): string {
  const known = Object.keys(keys[table] ?? {});
  const home = Object.keys(keys).find((other) => Object.hasOwn(keys[other] ?? {}, key));
  if (home !== undefined) return `it belongs in [${home}]`;
  const near = nearestName(key, known);
  const own =
    table === LIST_OF_TABLES ? "; keys of a Golang output plugin's own belong in its table properties" : '';
  return near === undefined
    ? `the keys of ${inBrackets(table)} are ${known.join(', ')}${own}`
    : `did you mean ${near}?`;
}

function inBrackets(table: string): string {
  return table === LIST_OF_TABLES ? `[[${table}]]` : `[${table}]`;
}
