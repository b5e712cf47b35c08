import { existsSync } from 'node:fs';
import { mkdtemp, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fullJitterMs } from '../../shared/back-off.js';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import { PLUGIN_FILE } from '../../shared/messages.js';
import { withoutCredentials } from '../log/credentials.js';
import type { PluginDefinition } from '../registry/plugin-definition.js';
import { FetchQueue } from './fetch-queue.js';
import { makeOpenFolder } from './folder-tree.js';
import { type HeldVersion, VersionInUse } from './held-version.js';
import { INCOMING, type PluginPlace } from './plugin-place.js';
import { PluginRemains } from './plugin-remains.js';
import type { FetchKind, PluginUpdate, StoreParts } from './store-parts.js';
import { placeVersion, type Version, whatIsAt } from './version.js';

type Outcome = PluginUpdate | CodedError;

interface Retry {
  readonly address: string;
  readonly error: CodedError;
  readonly timer: NodeJS.Timeout;
}

/** A look at the disk costs a busy host as much as the rest of beginning a run: what was seen holds for so long. */
const LOOK_EVERY_MS = 10_000;

/** One plugin of the store: its current version, the clones under way, and when to try again. */
export class StoredPlugin {
  readonly #place: PluginPlace;
  readonly #parts: StoreParts;
  #current: VersionInUse | undefined;
  #placedAtMs = 0;
  /** When its file was last seen on the disk. */
  #seenAtMs = Number.NEGATIVE_INFINITY;
  readonly #fetches: FetchQueue<Outcome>;
  #retry: Retry | undefined;
  #problem: string | undefined;
  #failures = 0;
  #vanishings = 0;
  /** No new runs, no new clones. */
  #stopped = false;
  readonly #remains: PluginRemains;
  /** An address of the registry, and what is noted of it. */
  #known: { readonly address: string; readonly shown: string } | undefined;

  /** `found` is its version of an earlier life; `after`, an earlier plugin of this name that is going. */
  constructor(place: PluginPlace, parts: StoreParts, found: Version | undefined, after: Promise<unknown>) {
    this.#place = place;
    this.#parts = parts;
    this.#remains = new PluginRemains(place, parts);
    this.#fetches = new FetchQueue(after);
    if (found !== undefined) this.#current = this.#inUse(found);
  }

  /** See PluginStore. */
  commitOf(plugin: PluginDefinition): string | undefined {
    return this.#serves(plugin) ? this.#current?.version.commit : undefined;
  }

  /** Why it is not there, in a sentence; undefined when it is or nothing was tried yet. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** See PluginStore. */
  async ensure(plugin: PluginDefinition): Promise<CodedError | undefined> {
    this.#abortOthers(plugin.address);
    if (this.#serves(plugin)) return undefined;
    if (this.#retry?.address === plugin.address) return this.#retry.error;
    const outcome = await (this.#fetches.last?.done ?? this.#fetch(plugin, 'wanted'));
    return outcome instanceof CodedError ? outcome : undefined;
  }

  /** See PluginStore. A clone that has begun may be older than the call, so it is never shared. */
  async update(plugin: PluginDefinition): Promise<PluginUpdate> {
    this.#abortOthers(plugin.address);
    const { last } = this.#fetches;
    const outcome = await (last?.started === false ? last.done : this.#fetch(plugin, 'wanted'));
    if (outcome instanceof CodedError) throw outcome;
    return outcome;
  }

  /** See PluginStore. */
  acquire(plugin: PluginDefinition): HeldVersion | undefined {
    if (this.#stopped) return undefined;
    const current = this.#current;
    if (current === undefined || !this.#serves(plugin)) {
      void this.ensure(plugin);
      return undefined;
    }
    if (this.#isOnDisk()) return current.hold(this.#place.stateFolder);
    this.#vanished(plugin);
    return undefined;
  }

  /** See PluginStore. */
  lookAgain(): void {
    this.#seenAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Takes the plugin away. Its link is gone afterwards, its version when the last run has ended. */
  async remove(): Promise<void> {
    const { key, link } = this.#place;
    const reason = `plugin ${key} is not fetched: the registry does not want it any more`;
    await this.#stop(new CodedError('plugin-removed', reason));
    const current = this.#current;
    this.#current = undefined;
    try {
      if ((await whatIsAt(this.#place)) === 'own') await unlink(link);
    } catch (error) {
      this.#parts.log.warn(this.#fields(), `plugin ${key} could not be removed: ${reasonOf(error)}`);
    }
    await this.#remains.beginRemoval();
    if (current === undefined) await this.#remains.removeRest();
    else current.retire();
  }

  /** Ends the clones under way; what is on disk stays. */
  async close(): Promise<void> {
    await this.#stop(new CodedError('closing', `plugin ${this.#place.key} is not fetched: the agent stops`));
  }

  async #stop(reason: CodedError): Promise<void> {
    this.#stopped = true;
    this.#cancelRetry();
    await this.#fetches.abortAll(reason);
  }

  #serves(plugin: PluginDefinition): boolean {
    return this.#current?.version.address === this.#addressOf(plugin);
  }

  /** As it is noted with a version. It is asked for at every run, and hardly ever another one. */
  #addressOf({ address }: PluginDefinition): string {
    if (address !== this.#known?.address) this.#known = { address, shown: withoutCredentials(address) };
    return this.#known.shown;
  }

  /** One look through the link: finds a missing link, a missing folder and a missing file. */
  #isOnDisk(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#seenAtMs < LOOK_EVERY_MS) return true;
    if (!existsSync(join(this.#place.link, PLUGIN_FILE))) return false;
    this.#seenAtMs = nowMs;
    return true;
  }

  /** At once the first time; a plugin that deletes itself in every run must not keep the git server busy. */
  #vanished(plugin: PluginDefinition): void {
    this.#current?.retire();
    this.#current = undefined;
    if (performance.now() - this.#placedAtMs >= this.#parts.retryCapMs) this.#vanishings = 0;
    this.#vanishings += 1;
    const sentence = `plugin ${this.#place.key} is gone from ${this.#place.link}, it is fetched again`;
    if (this.#vanishings === 1) {
      this.#parts.log.warn(this.#fields(), sentence);
      void this.ensure(plugin);
      return;
    }
    const error = new CodedError('plugin-vanished', `${sentence}; see who deletes it`);
    this.#tryLater(plugin, error, this.#vanishings - 1);
  }

  #fetch(plugin: PluginDefinition, kind: FetchKind): Promise<Outcome> {
    this.#cancelRetry();
    return this.#fetches.add(plugin, async (signal, begin) => {
      try {
        const task = () => {
          signal.throwIfAborted();
          begin();
          return this.#cloneAndSwap(plugin, signal);
        };
        return this.#succeeded(await this.#parts.inTurn(kind, task));
      } catch (error) {
        return this.#failed(plugin, error, signal.aborted);
      }
    });
  }

  async #cloneAndSwap(plugin: PluginDefinition, signal: AbortSignal): Promise<PluginUpdate> {
    await makeOpenFolder(this.#parts.folder);
    const incoming = await mkdtemp(join(this.#parts.folder, INCOMING));
    try {
      const clone = await this.#parts.clone(plugin, incoming, signal);
      signal.throwIfAborted();
      const version = await placeVersion(this.#place, incoming, clone, withoutCredentials(plugin.address));
      const before = this.#current;
      this.#current = this.#inUse(version);
      this.#problem = undefined;
      this.#placedAtMs = performance.now();
      before?.retire();
      const commitBefore = before?.version.commit;
      return { before: commitBefore, after: version.commit, changed: commitBefore !== version.commit };
    } finally {
      await rm(incoming, { recursive: true, force: true });
    }
  }

  #succeeded(update: PluginUpdate): PluginUpdate {
    this.#cancelRetry();
    this.#failures = 0;
    this.#parts.log.info(
      { ...this.#fields(), commit: update.after },
      `plugin ${this.#place.key} was fetched`,
    );
    return update;
  }

  #failed(plugin: PluginDefinition, error: unknown, givenUp: boolean): CodedError {
    const coded = error instanceof CodedError ? error : storeError(this.#place.key, error);
    if (givenUp) return coded;
    if (this.#serves(plugin)) {
      this.#parts.log.warn(this.#fields(), `${coded.message}; the version that is there stays`);
      return coded;
    }
    this.#failures += 1;
    this.#tryLater(plugin, coded, this.#failures);
    return coded;
  }

  #tryLater(plugin: PluginDefinition, error: CodedError, attempt: number): void {
    this.#cancelRetry();
    const delayMs = fullJitterMs(attempt, this.#parts.retryBaseMs, this.#parts.retryCapMs);
    const timer = setTimeout(() => void this.#fetch(plugin, 'retry'), delayMs);
    this.#retry = { address: plugin.address, error, timer };
    this.#problem = error.message;
    const next = `next try in ${Math.ceil(delayMs / 1000)} s`;
    this.#parts.log.warn({ ...this.#fields(), code: error.code, attempt }, `${error.message} (${next})`);
  }

  #cancelRetry(): void {
    clearTimeout(this.#retry?.timer);
    this.#retry = undefined;
  }

  /** The plugin comes from this address now: whatever is under way from another one is in vain. */
  #abortOthers(address: string): void {
    if (this.#retry !== undefined && this.#retry.address !== address) {
      this.#cancelRetry();
      this.#problem = undefined;
      this.#failures = 0;
    }
    const reason = `plugin ${this.#place.key} is not fetched from here: its address has changed`;
    this.#fetches.abortOthers(address, new CodedError('plugin-replaced', reason));
  }

  #inUse(version: Version): VersionInUse {
    return new VersionInUse(version, ({ folder }) =>
      this.#parts.inBackground(this.#remains.removeVersion(folder)),
    );
  }

  #fields(): { readonly plugin: string; readonly namespace: string } {
    return { plugin: this.#place.project, namespace: this.#place.namespace };
  }
}

function storeError(key: string, error: unknown): CodedError {
  return new CodedError('plugin-store', `plugin ${key} could not be stored: ${reasonOf(error)}`, {
    cause: error,
  });
}
