import { codeOf } from '../../shared/coded-error.js';
import type { RunSpec } from '../../shared/messages.js';
import type { FileHashes } from './file-hashes.js';
import type { OwnersOf } from './file-owners.js';
import { isStateFolder, stateFolderProblem } from './plugin-state.js';
import { isWayTrusted, trustProblem, wayToPlugin } from './plugin-trust.js';

/** What of a run says which files it needs, and whose they must be. */
export type RunFiles = Pick<RunSpec, 'folder' | 'trust' | 'stateFolder' | 'user'>;

/** The plugin's file and its state folder, which must not be links. */
const NOT_FOLLOWED = 2;

/** What has to be looked at before each run of a plugin. */
export function filesOf(run: RunFiles): readonly string[] {
  const [file = '', ...folders] = wayToPlugin(run);
  return [file, run.stateFolder, ...folders];
}

/**
 * Whether a plugin's files are as they should be, as far as one look tells. When they are not, or more has to be done
 * to know it, `filesProblem` says what is the matter, or mends it.
 * @param files those of `filesOf`
 */
export function areFilesFine({ trust, user }: RunFiles, files: readonly string[], look: OwnersOf): boolean {
  if (trust.pin !== undefined) return false;
  try {
    const [file, stateFolder, ...folders] = look(files, NOT_FOLLOWED);
    if (file === undefined || stateFolder === undefined) return false;
    return isWayTrusted([file, ...folders]) && isStateFolder(stateFolder, user);
  } catch (error) {
    // Whatever it is, whoever looks closer meets it, too.
    if (codeOf(error) !== undefined) return false;
    throw error;
  }
}

/** Says why a plugin cannot be run with its files as they are, in a sentence; undefined when it can. */
export async function filesProblem(
  run: RunFiles,
  hashes: FileHashes,
  look: OwnersOf,
): Promise<string | undefined> {
  return (await trustProblem(run, hashes, look)) ?? stateFolderProblem(run.stateFolder, run.user, look);
}
