/** The list of tables whose paths have an index behind the name. */
export const LIST_OF_TABLES = 'outputs';

/** What a path of the configuration names. */
export interface KeyPlace {
  readonly table: string;
  /** Which table of a list it is, counted from 1; undefined for a plain table, and for the list as a whole. */
  readonly number: number | undefined;
  /** Undefined when the path ends at the table. */
  readonly key: string | undefined;
  /** What follows the key: the index of a list's entry. */
  readonly rest: readonly PropertyKey[];
}

/** Takes a path apart: `['output', 'servers', 1]`, or `['outputs', 0, 'servers', 1]` for one of `[[outputs]]`. */
export function placeOf(path: readonly PropertyKey[]): KeyPlace {
  const table = String(path[0]);
  const isInList = table === LIST_OF_TABLES && path.length > 1;
  const [key, ...rest] = path.slice(isInList ? 2 : 1);
  return {
    table,
    number: isInList ? Number(path[1]) + 1 : undefined,
    key: key === undefined ? undefined : String(key),
    rest,
  };
}
