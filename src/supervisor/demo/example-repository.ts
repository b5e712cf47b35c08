import { cpSync, mkdirSync } from 'node:fs';
import crossSpawn from 'cross-spawn';
import { CodedError } from '../../shared/coded-error.js';

const GIT_TIMEOUT_MS = 30_000;

/** The user's own settings, such as hooks, signing keys and templates, must not play a part. */
const GIT_SETTINGS: readonly string[] = [
  'user.name=agent demo',
  'user.email=demo@localhost',
  'commit.gpgsign=false',
  'core.hooksPath=/dev/null',
  'init.defaultBranch=main',
].flatMap((setting) => ['-c', setting]);

/**
 * Makes a git repository of one commit that holds a copy of the folder's files.
 * @param folder with a file `plugin`
 * @param repository where the repository is made; must not be there yet
 * @throws CodedError `demo` when git is missing or fails
 */
export function makeRepository(folder: string, repository: string): void {
  mkdirSync(repository, { recursive: true });
  git(repository, ['init', '--quiet', '--template=']);
  cpSync(folder, repository, { recursive: true });
  git(repository, ['add', '--all']);
  // For file systems that do not keep the mark of an executable.
  git(repository, ['update-index', '--chmod=+x', 'plugin']);
  git(repository, ['commit', '--quiet', '--no-verify', '--message', 'Example plugin']);
}

function git(repository: string, words: readonly string[]): void {
  const result = crossSpawn.sync('git', [...GIT_SETTINGS, ...words], {
    cwd: repository,
    env: gitEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    timeout: GIT_TIMEOUT_MS,
  });
  if (result.error != null) {
    throw new CodedError('demo', `git cannot be run: ${result.error.message}; install git`, {
      cause: result.error,
    });
  }
  if (result.status !== 0) {
    throw new CodedError(
      'demo',
      `git ${words[0]} failed in ${repository}: ${result.stderr.trim() || `exit status ${result.status}`}`,
    );
  }
}

/** Without variables that point git at another repository or another configuration. */
function gitEnvironment(): NodeJS.ProcessEnv {
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')),
  );
  return { ...environment, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };
}
