import { constants, lstatSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import { PLUGIN_FILE, type PluginUser, type RunSpec } from '../../shared/messages.js';
import type { PluginTrust } from '../../shared/plugin-trust.js';
import type { FileHashes } from './file-hashes.js';
import type { FileOwner, OwnersOf } from './file-owners.js';

/** What of a run is judged. */
export type JudgedRun = Pick<RunSpec, 'folder' | 'trust' | 'user'>;

const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_ALL = 0o002;

/**
 * Says why a plugin's file must not be run, in a sentence; undefined when nothing speaks against it. It must not when
 * somebody else than root and the agent's user can change it, or can replace a folder on the way to it, or when it is
 * not what the registry pins it to. A file that is not there is left to the start to judge.
 *
 * Nobody who is not trusted can change anything between this and the start, which is what it is for.
 */
export async function trustProblem(
  run: JudgedRun,
  hashes: FileHashes,
  look: OwnersOf,
): Promise<string | undefined> {
  try {
    const file = join(run.folder, PLUGIN_FILE);
    const judged = judge(file, run, look);
    if ('problem' in judged) return judged.problem;
    return run.trust.pin && (await pinProblem(judged.path, run.trust, hashes));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    return `who can change its file cannot be seen: ${reasonOf(error)}`;
  }
}

/** What speaks against a file, or where it is. */
type Judged = { readonly problem: string } | { readonly path: string };

/** Looks at the file and at every folder up to that of all plugins. */
function judge(path: string, { folder, trust, user }: JudgedRun, look: OwnersOf): Judged {
  const way = wayTo(path, trust.storeFolder);
  const owners = look(way, 1);
  const [program] = owners;
  if (program !== undefined && isOfKind(program, constants.S_IFLNK)) {
    return judgeLink(path, { folder, trust, user }, look);
  }
  if (program !== undefined && !isOfKind(program, constants.S_IFREG)) {
    return { problem: `${path} is no regular file` };
  }
  const bad = owners.findIndex(isTooOpen);
  const owner = owners[bad];
  return owner === undefined ? { path } : { problem: whoElseCanWrite(way[bad] ?? path, owner, user) };
}

/** A link may only lead to another file of the repository, which then is what counts, with the way to it. */
function judgeLink(file: string, run: JudgedRun, look: OwnersOf): Judged {
  const path = realpathSync.native(file);
  const root = realpathSync.native(run.folder);
  if (!path.startsWith(root + sep) || path.startsWith(join(root, '.git') + sep)) {
    return { problem: `${file} is a link to ${path}, which is not in the repository` };
  }
  // Named by the folder's own name again, so that the way to it is that of the store.
  return judge(join(run.folder, path.slice(root.length)), run, look);
}

/** A plugin's file and the folders on the way to it, up to that of all plugins. */
export function wayToPlugin({ folder, trust }: Pick<RunSpec, 'folder' | 'trust'>): readonly string[] {
  return wayTo(join(folder, PLUGIN_FILE), trust.storeFolder);
}

/** Whether nothing speaks against a plugin's file, its pin aside, of which `wayToPlugin` is looked at. */
export function isWayTrusted(owners: readonly FileOwner[]): boolean {
  const [program] = owners;
  return program !== undefined && isOfKind(program, constants.S_IFREG) && !owners.some(isTooOpen);
}

function wayTo(file: string, storeFolder: string): readonly string[] {
  return [file, ...foldersOf(file, storeFolder)];
}

/** Those on the way to a file, from its own up to that of all plugins. */
function foldersOf(file: string, storeFolder: string): readonly string[] {
  const folders: string[] = [];
  for (let folder = dirname(file); folder.length >= storeFolder.length; folder = dirname(folder)) {
    folders.push(folder);
    if (folder === dirname(folder)) break;
  }
  return folders;
}

function isOfKind({ mode }: FileOwner, kind: number): boolean {
  return (mode & constants.S_IFMT) === kind;
}

const OWN_UID = process.geteuid?.() ?? 0;

function isTooOpen({ uid, mode }: FileOwner): boolean {
  return (uid !== OWN_UID && uid !== 0) || (mode & (WRITABLE_BY_ALL | WRITABLE_BY_GROUP)) !== 0;
}

function whoElseCanWrite(path: string, { uid, gid, mode }: FileOwner, user: PluginUser | undefined): string {
  if (uid !== OWN_UID && uid !== 0) {
    const owner = user !== undefined && uid === user.uid ? user.name : `the user with id ${uid}`;
    return `${owner}, who owns ${path}, could change it; run chown ${OWN_UID} ${path}, or fetch the plugin anew`;
  }
  const who = (mode & WRITABLE_BY_ALL) !== 0 ? 'every user' : `everybody in the group with id ${gid}`;
  return `${who} could change ${path}; run chmod go-w ${path}`;
}

async function pinProblem(
  path: string,
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
