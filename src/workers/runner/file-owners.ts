import { lstatSync, statSync } from 'node:fs';

/** Whose a file is, and what others may do with it. */
export interface FileOwner {
  /** Kind and rights, as in `Stats.mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Looks whose files are. The first is not followed if it is a link, the others are.
 * @throws an error with the system's code at the first that cannot be looked at
 */
export type OwnersOf = (paths: readonly string[]) => readonly FileOwner[];

/** With what Node.js brings. */
export const ownersOf: OwnersOf = (paths) =>
  paths.map((path, index) => (index === 0 ? lstatSync(path) : statSync(path)));
