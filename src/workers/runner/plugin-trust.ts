import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import { PLUGIN_FILE, type PluginUser, type RunTask } from '../../shared/messages.js';
import type { PluginTrust } from '../../shared/plugin-trust.js';
import type { FileHashes } from './file-hashes.js';

/** What of a run is judged. */
export type JudgedRun = Pick<RunTask, 'folder' | 'trust' | 'user'>;

const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_ALL = 0o002;

/**
 * Says why a plugin's file must not be run, in a sentence; undefined when nothing speaks against it. It must not when
 * somebody else than root and the agent's user can change it, or can replace a folder on the way to it, or when it is
 * not what the registry pins it to. A file that is not there is left to the start to judge.
 *
 * Nobody who is not trusted can change anything between this and the start, which is what it is for.
 */
export async function trustProblem(run: JudgedRun, hashes: FileHashes): Promise<string | undefined> {
  try {
    const program = programOf(run);
    if (program === undefined) return undefined;
    if ('problem' in program) return program.problem;
    return (
      writeProblem(program, run.trust.storeFolder, run.user) ?? (await pinProblem(program, run.trust, hashes))
    );
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    return `who can change its file cannot be seen: ${reasonOf(error)}`;
  }
}

interface Program {
  /** Where its links lead. */
  readonly path: string;
  readonly status: Stats;
}

function programOf({ folder }: JudgedRun): Program | { readonly problem: string } | undefined {
  const file = join(folder, PLUGIN_FILE);
  const entry = lstatSync(file, { throwIfNoEntry: false });
  if (entry === undefined) return undefined;
  if (!entry.isSymbolicLink()) return regular({ path: file, status: entry });
  const path = realpathSync.native(file);
  const root = realpathSync.native(folder);
  if (!path.startsWith(root + sep) || path.startsWith(join(root, '.git') + sep)) {
    return { problem: `${file} is a link to ${path}, which is not in the repository` };
  }
  // Named by the folder's own name again, so that the way to it is that of the store.
  return regular({ path: join(folder, path.slice(root.length)), status: lstatSync(path) });
}

function regular(program: Program): Program | { readonly problem: string } {
  return program.status.isFile() ? program : { problem: `${program.path} is no regular file` };
}

/** Looks at the file and at every folder up to that of all plugins. */
function writeProblem(
  { path, status }: Program,
  storeFolder: string,
  user: PluginUser | undefined,
): string | undefined {
  const problem = whoElseCanWrite(path, status, user);
  if (problem !== undefined) return problem;
  for (let folder = dirname(path); folder.length >= storeFolder.length; folder = dirname(folder)) {
    const folderProblem = whoElseCanWrite(folder, statSync(folder), user);
    if (folderProblem !== undefined) return folderProblem;
    if (folder === dirname(folder)) break;
  }
  return undefined;
}

const OWN_UID = process.geteuid?.() ?? 0;

function whoElseCanWrite(
  path: string,
  { uid, gid, mode }: Pick<Stats, 'uid' | 'gid' | 'mode'>,
  user: PluginUser | undefined,
): string | undefined {
  if (uid !== OWN_UID && uid !== 0) {
    const owner = user !== undefined && uid === user.uid ? user.name : `the user with id ${uid}`;
    return `${owner}, who owns ${path}, could change it; run chown ${OWN_UID} ${path}, or fetch the plugin anew`;
  }
  if ((mode & WRITABLE_BY_ALL) !== 0) return `every user could change ${path}; run chmod go-w ${path}`;
  if ((mode & WRITABLE_BY_GROUP) !== 0) {
    return `everybody in the group with id ${gid} could change ${path}; run chmod go-w ${path}`;
  }
  return undefined;
}

async function pinProblem(
  { path }: Program,
  { pin, commit, fetchedSha256 }: PluginTrust,
  hashes: FileHashes,
): Promise<string | undefined> {
  if (pin === undefined) return undefined;
  if (pin.commit !== undefined && pin.commit !== commit) {
    return (
      `the registry pins it to commit ${pin.commit}, and what was fetched is ${commit}; call /plugins/update when ` +
      'the pinned commit is the newest release, or correct "commit" in the registry'
    );
  }
  const expected = pin.sha256 ?? fetchedSha256;
  if (expected === undefined) return undefined;
  const sha256 = await hashes.sha256(path, lstatSync(path, { bigint: true }));
  if (sha256 === undefined) return `${path} was changed while it was looked at`;
  if (pin.sha256 !== undefined && sha256 !== pin.sha256) {
    return (
      `the registry pins ${PLUGIN_FILE} to SHA-256 ${pin.sha256}, and that of ${path} is ${sha256}; see who changed it, ` +
      'or correct "sha256" in the registry'
    );
  }
  if (pin.commit !== undefined && fetchedSha256 !== undefined && sha256 !== fetchedSha256) {
    return (
      `the registry pins it to commit ${pin.commit}, whose ${PLUGIN_FILE} had SHA-256 ${fetchedSha256} when it was ` +
      `fetched, and that of ${path} is ${sha256} now; see who changed it, and call /plugins/update`
    );
  }
  return undefined;
}
