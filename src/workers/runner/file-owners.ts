import { lstatSync, statSync } from 'node:fs';

/** Whose a file is, and what others may do with it. */
export interface FileOwner {
  /** Kind and rights, as in `Stats.mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Looks whose files are. The same list again should be the same object.
 * @param notFollowed so many in front are not followed where they are links; the others are
 * @throws an error with the system's code at the first that cannot be looked at
 */
export type OwnersOf = (paths: readonly string[], notFollowed: number) => readonly FileOwner[];

/** With what Node.js brings. */
export const ownersOf: OwnersOf = (paths, notFollowed) =>
  paths.map((path, index) => (index < notFollowed ? lstatSync(path) : statSync(path)));
