import { resolve } from 'node:path';
import pLimit from 'p-limit';
import { CodedError } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import { type PluginDefinition, pluginKey } from '../registry/plugin-definition.js';
import { clonePlugin } from './clone.js';
import type { TreeSize } from './folder-tree.js';
import { gitEnvironment } from './git-environment.js';
import type { HeldVersion } from './held-version.js';
import { type PluginName, placeOf } from './plugin-place.js';
import { closedFolder, preparePluginsFolder, type Reader } from './plugins-folder.js';
import { removeStateLeft } from './state-removal.js';
import { takeStock } from './stock-taking.js';
import type { FetchKind, PluginUpdate, StoreParts } from './store-parts.js';
import { StoredPlugin } from './stored-plugin.js';

/** How the store works. */
export interface PluginStoreOptions {
  /** The folder of all plugins (`pluginsdir`); nobody but the store writes to it. */
  readonly folder: string;
  /** Names as in git's `protocol.allow`: https, ssh, git, http, file. */
  readonly allowedProtocols: readonly string[];
  /** For everything that git does for one clone. */
  readonly gitTimeoutMs: number;
  readonly log: Log;
  /** Clones at once; 4 when left out. */
  readonly concurrency?: number;
  /** A repository that grows beyond this is given up; 1 GiB and 100,000 files when left out. */
  readonly bounds?: TreeSize;
  /** A failed clone is tried again after a time at random, at most this at first (5 s), doubled up to the cap (10 min). */
  readonly retryBaseMs?: number;
  readonly retryCapMs?: number;
  /** The user that plugins run as, where it is not the agent's own: warned about when it cannot reach the folder. */
  readonly reader?: Reader | undefined;
  /** The agent's environment, of which git gets what it needs; `process.env` when left out. */
  readonly environment?: NodeJS.ProcessEnv;
}

const CONCURRENCY = 4;
const BOUNDS: TreeSize = { bytes: 1024 ** 3, entries: 100_000 };
const RETRY_BASE_MS = 5000;
const RETRY_CAP_MS = 600_000;

/**
 * The plugins' files. Fetches each plugin from git once, into `<folder>/<namespace>/<project>`, tries again until it
 * succeeds, replaces it on `update`, and keeps the version that a run holds until the run has ended.
 */
export class PluginStore {
  readonly #folder: string;
  readonly #options: PluginStoreOptions;
  readonly #parts: StoreParts;
  readonly #plugins = new Map<string, StoredPlugin>();
  /** Plugins that are being removed, by key: the next one of that name waits. */
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #background = new Set<Promise<void>>();
  /** Ends removals that may take long. */
  readonly #removals = new AbortController();
  #closed = false;

  constructor(options: PluginStoreOptions) {
    this.#folder = resolve(options.folder);
    this.#options = options;
    this.#parts = this.#sharedParts();
  }

  /** Absolute path of the folder of all plugins. */
  get folder(): string {
    return this.#folder;
  }

  /**
   * Makes the folder and takes stock of what an earlier life left in it. Call it once, before anything else.
   * Throws CodedError `plugins-folder` when the folder cannot be used.
   */
  async open(): Promise<void> {
    await preparePluginsFolder(this.#folder);
    const { plugins, stateLeft } = await takeStock(this.#folder, this.#options.log);
    for (const left of stateLeft) this.#parts.removeStateLeft(left);
    for (const { place, version } of plugins) {
      this.#plugins.set(place.key, new StoredPlugin(place, this.#parts, version, Promise.resolve()));
    }
    await this.#warnWhenClosed();
  }

  /**
   * Returns when the plugin is there: fetched once, never updated here. Undefined when it is there, else why not (the
   * outcome of the try under way, or of the last one); the store has logged it and goes on trying by itself. Never
   * rejects. Calls for one plugin share one clone; another address for the same key gives up the clone from the old
   * one, and the version from there is not run any more.
   */
  async ensure(plugin: PluginDefinition): Promise<CodedError | undefined> {
    try {
      return await this.#plugin(plugin).ensure(plugin);
    } catch (error) {
      if (error instanceof CodedError) return error;
      throw error;
    }
  }

  /**
   * Fetches the newest release into a version of its own and lets the next run have it. Throws CodedError when that
   * fails; the version that is there stays.
   */
  async update(plugin: PluginDefinition): Promise<PluginUpdate> {
    return await this.#plugin(plugin).update(plugin);
  }

  /**
   * The plugin's folder for one run, to be released when the run has ended; undefined while it is not there. One that
   * has vanished from the disk is noticed here and fetched again: within ten seconds of runs, or after `lookAgain`.
   * @param key the plugin's key, from whoever has it and need not make it for every run
   */
  acquire(plugin: PluginDefinition, key = pluginKey(plugin)): HeldVersion | undefined {
    return this.#plugins.get(key)?.acquire(plugin);
  }

  /** The next run is only given the plugin's folder when that is on the disk, however lately it was seen there. */
  lookAgain(plugin: PluginName): void {
    this.#plugins.get(pluginKey(plugin))?.lookAgain();
  }

  /** Full hash of the commit that the next run gets; undefined while the plugin is not there from its address. */
  versionOf(plugin: PluginDefinition): string | undefined {
    return this.#plugins.get(pluginKey(plugin))?.commitOf(plugin);
  }

  /** Why the plugin is not there, in a sentence; undefined when it is, or when its first clone is still under way. */
  problemOf(plugin: PluginName): string | undefined {
    return this.#plugins.get(pluginKey(plugin))?.problem;
  }

  /** Removes a plugin: its link now, its files with its last run. One that is not there is no error. */
  async remove(plugin: PluginName): Promise<void> {
    const key = pluginKey(plugin);
    const stored = this.#plugins.get(key);
    if (stored === undefined) return;
    this.#plugins.delete(key);
    const left = stored.remove();
    this.#leaving.set(key, left);
    await left;
    if (this.#leaving.get(key) === left) this.#leaving.delete(key);
  }

  /** Removes all plugins but these, those of an earlier life too. */
  async retain(wanted: Iterable<PluginName>): Promise<void> {
    const keys = new Set([...wanted].map(pluginKey));
    const unwanted = [...this.#plugins.keys()].filter((key) => !keys.has(key));
    await Promise.all(unwanted.map((key) => this.remove(nameOf(key))));
  }

  /** Ends the gits that are running and waits for them. Versions that runs hold go at the next `open`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#removals.abort();
    await Promise.all([...this.#plugins.values()].map((plugin) => plugin.close()));
    await Promise.all([...this.#leaving.values(), ...this.#background]);
  }

  #plugin(name: PluginName): StoredPlugin {
    if (this.#closed)
      throw new CodedError('closing', `plugin ${pluginKey(name)} is not fetched: the agent stops`);
    const key = pluginKey(name);
    const known = this.#plugins.get(key);
    if (known !== undefined) return known;
    const after = this.#leaving.get(key) ?? Promise.resolve();
    const stored = new StoredPlugin(placeOf(this.#folder, name), this.#parts, undefined, after);
    this.#plugins.set(key, stored);
    return stored;
  }

  #sharedParts(): StoreParts {
    const { allowedProtocols, gitTimeoutMs, log, concurrency = CONCURRENCY, bounds = BOUNDS } = this.#options;
    const environment = gitEnvironment(this.#options.environment ?? process.env, allowedProtocols);
    const settings = { allowedProtocols, environment, timeoutMs: gitTimeoutMs, bounds };
    const all = pLimit(concurrency);
    const retries = pLimit(Math.max(1, Math.floor(concurrency / 2)));
    return {
      folder: this.#folder,
      log,
      retryBaseMs: this.#options.retryBaseMs ?? RETRY_BASE_MS,
      retryCapMs: this.#options.retryCapMs ?? RETRY_CAP_MS,
      clone: (plugin, incoming, signal) => clonePlugin(plugin, incoming, settings, signal),
      inTurn: (kind: FetchKind, task) => (kind === 'wanted' ? all(task) : retries(() => all(task))),
      inBackground: (work) => this.#inBackground(work),
      removeStateLeft: (left) => this.#inBackground(removeStateLeft(left, log, this.#removals.signal)),
    };
  }

  #inBackground(work: Promise<void>): void {
    this.#background.add(work);
    void work.finally(() => this.#background.delete(work));
  }

  async #warnWhenClosed(): Promise<void> {
    const { reader, log } = this.#options;
    const closed = reader === undefined ? undefined : await closedFolder(this.#folder, reader);
    if (reader === undefined || closed === undefined) return;
    const wayOut = `run chmod o+x ${closed}, or change [agent] pluginsdir or pluginsuser`;
    log.warn(
      { folder: closed },
      `plugins run as ${reader.name}, who cannot enter ${closed}, so none can run; ${wayOut}`,
    );
  }
}

function nameOf(key: string): PluginName {
  const [namespace = '', project = ''] = key.split('/');
  return { namespace, project };
}
