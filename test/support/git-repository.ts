import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What a commit holds, beside what the branch held before. */
export interface RepositoryContent {
  /** The file `plugin`. */
  readonly plugin?: string | Uint8Array;
  /** Text of further files, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Symbolic links, path → where it points. */
  readonly links?: Readonly<Record<string, string>>;
  /** Paths that get the executable bit; `plugin` alone when left out. */
  readonly executables?: readonly string[];
  /** The branch of the commit; a new one begins where the default branch stands. `main` when left out. */
  readonly branch?: string;
}

/**
 * Makes a git repository with one commit in `folder` (created, must not hold one yet) and gives its `file:` address.
 * Its default branch is `content.branch`. Nothing of the user's git configuration, hooks or identity plays a part.
 */
export function makeRepository(folder: string, content: RepositoryContent): string {
  makeEmptyRepository(folder, content.branch);
  commitTo(folder, content);
  return addressOf(folder);
}

/** Makes a repository without any commit, and gives its address. */
export function makeEmptyRepository(folder: string, branch = 'main'): string {
  mkdirSync(folder, { recursive: true });
  git(folder, 'init', '--quiet', '--template=');
  git(folder, 'symbolic-ref', 'HEAD', `refs/heads/${branch}`);
  return addressOf(folder);
}

/** Adds a commit to a branch of a repository of `makeRepository`, and gives its hash. The default branch stays. */
export function commitTo(folder: string, content: RepositoryContent): string {
  const usual = git(folder, 'symbolic-ref', '--short', 'HEAD');
  const branch = content.branch ?? usual;
  if (branch !== usual) checkOut(folder, branch);
  writeContent(folder, content);
  git(folder, 'add', '--all', '--force');
  git(folder, 'commit', '--quiet', '--allow-empty', '--message', 'Change the plugin');
  const commit = headOf(folder);
  if (branch !== usual) git(folder, 'checkout', '--quiet', usual);
  return commit;
}

/** Hash of the commit that a branch (the default one when left out) points to. */
export function headOf(folder: string, branch = 'HEAD'): string {
  return git(folder, 'rev-parse', '--verify', branch);
}

/** Runs git in a folder, away from the user's configuration, and gives what it printed. */
export function git(folder: string, ...args: readonly string[]): string {
  const settings = [
    '-c',
    'core.hooksPath=/dev/null',
    '-c',
    'commit.gpgSign=false',
    '-c',
    'core.fileMode=true',
  ];
  const output = execFileSync('git', [...settings, ...args], {
    cwd: folder,
    env: gitEnvironment(),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return output.trim();
}

/** An environment in which git knows no configuration but the repository's. */
export function gitEnvironment(): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Test',
    GIT_AUTHOR_EMAIL: 'test@example.org',
    GIT_COMMITTER_NAME: 'Test',
    GIT_COMMITTER_EMAIL: 'test@example.org',
  };
}

/** The address of the repository in a folder. */
function addressOf(folder: string): string {
  return pathToFileURL(resolve(folder)).href;
}

function checkOut(folder: string, branch: string): void {
  const known = git(folder, 'branch', '--list', branch) !== '';
  git(folder, 'checkout', '--quiet', ...(known ? [branch] : ['-b', branch]));
}

function writeContent(folder: string, content: RepositoryContent): void {
  const files = { ...content.files, ...(content.plugin === undefined ? {} : { plugin: content.plugin }) };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  for (const [path, target] of Object.entries(content.links ?? {})) symlinkSync(target, join(folder, path));
  const executables = content.executables ?? (content.plugin === undefined ? [] : ['plugin']);
  for (const path of executables) chmodSync(join(folder, path), 0o755);
}
