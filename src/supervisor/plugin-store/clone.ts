import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import { PLUGIN_FILE } from '../../shared/messages.js';
import { addressProblem } from '../git/git-address.js';
import { hideCredentials, withoutCredentials } from '../log/credentials.js';
import { type PluginDefinition, pluginKey } from '../registry/plugin-definition.js';
import { type TreeSize, treeSize } from './folder-tree.js';
import { type GitResult, runGit } from './git-command.js';
import { pluginFileProblem } from './plugin-file.js';

/** What holds for every clone. */
export interface CloneSettings {
  readonly allowedProtocols: readonly string[];
  /** Whole environment of git. */
  readonly environment: Readonly<Record<string, string>>;
  /** For everything that git does for one clone. */
  readonly timeoutMs: number;
  /** A repository that grows beyond this is given up. */
  readonly bounds: TreeSize;
}

/** A clone that passed every check. */
export interface Clone {
  readonly folder: string;
  /** Full hash of its commit. */
  readonly commit: string;
  /** SHA-256 of its `plugin`. */
  readonly sha256: string;
}

/** The branch that is preferred to the remote's default branch. */
const RELEASE_BRANCH = 'release';
const RELEASE_REF = `refs/heads/${RELEASE_BRANCH}`;
/** A whole hash, SHA-1 or SHA-256. */
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
/** What git says when the plugins' folder takes no more; the system's own words are missing where it checks out. */
const DISK_TROUBLE = /No space left on device|Disk quota exceeded|unable to write file/;
const SIZE_CHECK_MS = 1000;
const LONGEST_WORDS = 600;

/** One commit of one branch, no tags, no submodules, no template, and never by hard links to a local repository. */
const CLONE = [
  'clone',
  '--quiet',
  '--depth=1',
  '--single-branch',
  '--no-tags',
  '--no-recurse-submodules',
  '--no-local',
  '--template=',
] as const;

/**
 * Clones a plugin into a folder `repository` in `incoming`, which the caller made and removes. Throws CodedError,
 * its sentence naming plugin and address; with the signal aborted, the signal's reason.
 */
export async function clonePlugin(
  plugin: PluginDefinition,
  incoming: string,
  settings: CloneSettings,
  signal: AbortSignal,
): Promise<Clone> {
  const stop = new AbortController();
  const stopToo = () => stop.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', stopToo, { once: true });
  const timer = setTimeout(() => stop.abort(timeout(settings.timeoutMs)), settings.timeoutMs);
  const finished = new AbortController();
  const watch = watchSize(incoming, settings.bounds, stop, finished.signal);
  try {
    return await new CloneJob(plugin, incoming, settings, stop.signal).run();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw namedError(plugin, error);
  } finally {
    finished.abort();
    clearTimeout(timer);
    signal.removeEventListener('abort', stopToo);
    await watch;
  }
}

/** The steps of one clone. */
class CloneJob {
  readonly #plugin: PluginDefinition;
  readonly #incoming: string;
  readonly #settings: CloneSettings;
  readonly #signal: AbortSignal;
  readonly #folder: string;

  constructor(plugin: PluginDefinition, incoming: string, settings: CloneSettings, signal: AbortSignal) {
    this.#plugin = plugin;
    this.#incoming = incoming;
    this.#settings = settings;
    this.#signal = signal;
    this.#folder = join(incoming, 'repository');
  }

  async run(): Promise<Clone> {
    const { address } = this.#plugin;
    const problem = addressProblem(address, this.#settings.allowedProtocols);
    if (problem !== undefined) {
      throw new CodedError(
        'address-refused',
        `${problem}; change it in the registry or [agent] gitprotocols`,
      );
    }
    await this.#clone(await this.#hasRelease());
    const commit = await this.#headCommit();
    await this.#forgetCredentials();
    const fileProblem = await pluginFileProblem(this.#folder);
    if (fileProblem !== undefined) throw fileProblem;
    const size = await treeSize(this.#folder, this.#settings.bounds);
    const sizeProblem = tooLarge(size, this.#settings.bounds);
    if (sizeProblem !== undefined) throw sizeProblem;
    return { folder: this.#folder, commit, sha256: await sha256Of(join(this.#folder, PLUGIN_FILE)) };
  }

  /** Asks the server first: a clone of a branch that is not there costs more than the question. */
  async #hasRelease(): Promise<boolean> {
    const listed = await this.#git(['ls-remote', '--quiet', '--', this.#plugin.address, 'HEAD', RELEASE_REF]);
    if (listed.exitCode !== 0) throw this.#gitFailed(listed);
    const names = listed.stdout.split('\n').map((line) => line.split('\t')[1]);
    if (names.includes(RELEASE_REF)) return true;
    if (names.includes('HEAD')) return false;
    const wayOut = `push one, to its default branch or to "${RELEASE_BRANCH}"`;
    throw new CodedError('repository-empty', `the repository has no commit on its default branch; ${wayOut}`);
  }

  async #clone(ofRelease: boolean): Promise<void> {
    const branch = ofRelease ? [`--branch=${RELEASE_BRANCH}`] : [];
    const cloned = await this.#git([...CLONE, ...branch, '--', this.#plugin.address, this.#folder]);
    if (cloned.exitCode !== 0) throw this.#gitFailed(cloned);
  }

  /** Read where git usually keeps it, which saves a process; git is asked where it is kept otherwise. */
  async #headCommit(): Promise<string> {
    const head = await this.#readInGit('HEAD');
    const ref = /^ref: (refs\/heads\/[^\s]+)$/.exec(head)?.[1];
    const commit = ref === undefined ? head : await this.#readInGit(ref);
    if (COMMIT.test(commit)) return commit;
    const asked = await this.#gitInClone(['rev-parse', '--verify', '--quiet', 'HEAD']);
    if (asked.exitCode !== 0) throw this.#gitFailed(asked);
    return asked.stdout.trim();
  }

  /** Empty where there is no such file. */
  async #readInGit(name: string): Promise<string> {
    const text = await readFile(join(this.#folder, '.git', name), 'utf8').catch(() => '');
    return text.trim();
  }

  /** The clone is readable for every user, so what git noted of the address must not hold a password. */
  async #forgetCredentials(): Promise<void> {
    const shown = withoutCredentials(this.#plugin.address);
    if (shown === this.#plugin.address) return;
    const done = await this.#gitInClone(['config', 'remote.origin.url', shown]);
    if (done.exitCode !== 0) throw this.#gitFailed(done);
  }

  #gitInClone(args: readonly string[]): Promise<GitResult> {
    return this.#git([`--git-dir=${join(this.#folder, '.git')}`, ...args]);
  }

  #git(args: readonly string[]): Promise<GitResult> {
    const { environment } = this.#settings;
    return runGit(args, { environment, workingFolder: this.#incoming, signal: this.#signal });
  }

  #gitFailed(result: GitResult): CodedError {
    const how = result.signal === undefined ? `exit code ${result.exitCode}` : `signal ${result.signal}`;
    const words = lastWords(result.stderrEnd, this.#plugin.address);
    const wayOut = DISK_TROUBLE.test(result.stderrEnd)
      ? 'make room on the file system of [agent] pluginsdir'
      : "check the address in the registry, the server, and the agent's right to read from it";
    return new CodedError(
      'git-failed',
      `git ended with ${how}${words === '' ? '' : ` (${words})`}; ${wayOut}`,
    );
  }
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file)) hash.update(piece);
  return hash.digest('hex');
}

/** Looks at the size again and again until the clone is finished, and stops it when it is too large. */
async function watchSize(
  folder: string,
  bounds: TreeSize,
  stop: AbortController,
  finished: AbortSignal,
): Promise<void> {
  try {
    for (;;) {
      await sleep(SIZE_CHECK_MS, undefined, { signal: finished });
      const problem = tooLarge(await treeSize(folder, bounds), bounds);
      if (problem !== undefined) stop.abort(problem);
    }
  } catch (error) {
    // The usual end: the clone is finished and the sleep was interrupted.
    if (!finished.aborted) stop.abort(error);
  }
}

function tooLarge(size: TreeSize, bounds: TreeSize): CodedError | undefined {
  if (size.bytes <= bounds.bytes && size.entries <= bounds.entries) return undefined;
  const most = `${Math.round(bounds.bytes / 1_048_576)} MiB and ${bounds.entries} files`;
  return new CodedError(
    'repository-too-large',
    `the repository is larger than the agent takes (${most}); make it smaller`,
  );
}

function timeout(timeoutMs: number): CodedError {
  const wayOut = 'check the server, or raise [agent] gittimeout';
  return new CodedError(
    'git-timeout',
    `git was not done after ${timeoutMs / 1000} s and was ended; ${wayOut}`,
  );
}

/** The end of what git said, on one line, without credentials and without control characters. */
function lastWords(stderrEnd: string, address: string): string {
  const line = hideCredentials(stderrEnd, address)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  return line.length <= LONGEST_WORDS ? line : `…${line.slice(-LONGEST_WORDS)}`;
}

function namedError(plugin: PluginDefinition, error: unknown): CodedError {
  const code = error instanceof CodedError ? error.code : 'plugin-store';
  const from = withoutCredentials(plugin.address);
  return new CodedError(
    code,
    `plugin ${pluginKey(plugin)} could not be fetched from ${from}: ${reasonOf(error)}`,
    {
      cause: error,
    },
  );
}
