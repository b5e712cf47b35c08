import type { z } from 'zod';
import type { Config } from './config.js';
import type { ConfigProblem } from './config-problem.js';
import type { KeysByTable } from './environment-overrides.js';
import { placeOf } from './key-place.js';
import { isRecord } from './toml-document.js';
import { unknownKeyProblem } from './unknown-key.js';

/** The tables as they stand in the file, with what variables have set. */
export type Tables = Record<string, unknown>;

/** Checks every key by itself. Where one is wrong, the configuration that comes back has its default. */
export function check(
  schema: z.ZodType<Config>,
  tables: Tables,
  keys: KeysByTable,
): { config: Config; problems: ConfigProblem[] } {
  const result = schema.safeParse(tables);
  if (result.success) return { config: result.data, problems: [] };
  const problems: ConfigProblem[] = [];
  const rest = structuredClone(tables);
  for (const issue of result.error.issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const path = [...issue.path, key];
        problems.push(unknownKeyProblem(path, valueAt(tables, path), keys));
        remove(rest, path);
      }
    } else {
      problems.push({ path: issue.path, sentence: issue.message, value: valueAt(tables, issue.path) });
      remove(rest, issue.path);
    }
  }
  return { config: schema.parse(rest), problems };
}

/** What stands at a path; undefined where there is nothing. */
export function valueAt(holder: unknown, path: readonly PropertyKey[]): unknown {
  let value = holder;
  for (const key of path) {
    if (Array.isArray(value)) value = value[Number(key)];
    else value = isRecord(value) ? value[String(key)] : undefined;
  }
  return value;
}

/** Removes the table or the key; a wrong entry of a list takes its whole list along. */
function remove(tables: Tables, path: readonly PropertyKey[]): void {
  const { table, number, key } = placeOf(path);
  const list = tables[table];
  if (number !== undefined && Array.isArray(list)) {
    // An empty table in its place: those behind it keep their numbers.
    if (key === undefined) list[number - 1] = {};
    else delete list[number - 1]?.[key];
    return;
  }
  const holder = tables[table];
  if (key === undefined || !isRecord(holder)) delete tables[table];
  else delete holder[key];
}
