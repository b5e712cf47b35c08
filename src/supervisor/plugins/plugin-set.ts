import { isDeepStrictEqual } from 'node:util';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import { sameRepository } from '../git/git-address.js';
import { withoutCredentials } from '../log/credentials.js';
import type { PluginName } from '../plugin-store/plugin-place.js';
import type { PluginStore } from '../plugin-store/plugin-store.js';
import { type PluginDefinition, pluginKey } from '../registry/plugin-definition.js';
import type { Schedule } from '../schedule/schedule.js';
import type { DisabledPlugins } from './disabled-plugins.js';
import { type ManagedPlugin, managedPlugin } from './managed-plugin.js';
import type { PluginRuns } from './plugin-runs.js';
import type { PluginStreams } from './plugin-streams.js';

/** What a sync with the registry changed. */
export interface PluginChanges {
  readonly added: readonly PluginDefinition[];
  readonly changed: readonly PluginDefinition[];
  readonly removed: readonly PluginDefinition[];
  readonly unchanged: number;
}

/** The plugins that the registry wants on this host: has them fetched, puts them on the schedule, takes them off. */
export class PluginSet {
  readonly #plugins = new Map<string, ManagedPlugin>();
  readonly #store: PluginStore;
  readonly #schedule: Schedule;
  readonly #runs: PluginRuns;
  readonly #streams: PluginStreams;
  readonly #disabled: DisabledPlugins;
  readonly #log: Log;
  /** The registry, or what was last known of it, has been heard. */
  #isInformed = false;

  constructor(options: {
    readonly store: PluginStore;
    readonly schedule: Schedule;
    readonly runs: PluginRuns;
    readonly streams: PluginStreams;
    readonly disabled: DisabledPlugins;
    readonly log: Log;
  }) {
    this.#store = options.store;
    this.#schedule = options.schedule;
    this.#runs = options.runs;
    this.#streams = options.streams;
    this.#disabled = options.disabled;
    this.#log = options.log;
  }

  list(): IterableIterator<ManagedPlugin> {
    return this.#plugins.values();
  }

  get size(): number {
    return this.#plugins.size;
  }

  /**
   * The plugin of a namespace with a repository, named as the registry does or by its address.
   * @throws CodedError `unknown-plugin`, or `busy` as long as nothing is known of the registry
   */
  find(namespace: string, repo: string): ManagedPlugin {
    for (const plugin of this.#plugins.values()) {
      const { definition } = plugin;
      if (definition.namespace !== namespace) continue;
      if (
        sameRepository(definition.repo, withoutCredentials(repo)) ||
        sameRepository(definition.address, repo)
      )
        return plugin;
    }
    if (!this.#isInformed) {
      throw new CodedError(
        'busy',
        'the agent has not heard from the registry yet and knows no plugins; try again soon, /me/status says more',
      );
    }
    throw new CodedError(
      'unknown-plugin',
      `the registry knows no plugin ${repo} in namespace ${namespace}; add it there, or correct its item, then call /update, which says what is wrong with items`,
    );
  }

  /**
   * Makes the set what the registry says now. Plugins that stay as they are keep their phase and their state.
   * @param kept plugins that do not run for now: their files and what they keep in AGENT_STATE stay
   */
  apply(definitions: readonly PluginDefinition[], kept: readonly PluginName[] = []): PluginChanges {
    this.#isInformed = true;
    this.#removeFiles([...definitions, ...kept]);
    const wanted = new Map(definitions.map((definition) => [pluginKey(definition), definition]));
    const removed = [...this.#plugins.values()].filter((plugin) => !wanted.has(plugin.key));
    for (const plugin of removed) this.#remove(plugin);
    this.#runs.setNamespaces(scheduledNamespaces(definitions));
    const added: PluginDefinition[] = [];
    const changed: PluginDefinition[] = [];
    for (const [key, definition] of wanted) {
      const plugin = this.#plugins.get(key);
      if (!plugin) {
        this.#add(key, definition);
        added.push(definition);
      } else if (!isDeepStrictEqual(plugin.definition, definition)) {
        this.#replace(plugin, definition);
        changed.push(definition);
      }
    }
    return {
      added,
      changed,
      removed: removed.map(({ definition }) => definition),
      unchanged: wanted.size - added.length - changed.length,
    };
  }

  /** Files of plugins that are not wanted any more go, also those of an earlier life of the agent. */
  #removeFiles(wanted: readonly PluginName[]): void {
    this.#store.retain(wanted).catch((thrown: unknown) => {
      this.#log.error(
        {},
        `cannot remove the files of plugins that are not wanted any more: ${reasonOf(thrown)}`,
      );
    });
  }

  /**
   * Runs a plugin that the schedule says is due, unless it is disabled.
   * @param dueAtMs unix ms
   */
  runDue(key: string, dueAtMs: number): void {
    const plugin = this.#plugins.get(key);
    if (!plugin || this.#disabled.disabledUntil(key)) return;
    this.#runs.runDue(plugin, dueAtMs);
  }

  #add(key: string, definition: PluginDefinition): void {
    const plugin = managedPlugin(key, definition);
    this.#plugins.set(key, plugin);
    void this.#fetchAndSchedule(plugin, definition);
  }

  #replace(plugin: ManagedPlugin, definition: PluginDefinition): void {
    plugin.definition = definition;
    void this.#fetchAndSchedule(plugin, definition);
  }

  #remove(plugin: ManagedPlugin): void {
    this.#plugins.delete(plugin.key);
    this.#schedule.remove(plugin.key);
    this.#streams.drop(plugin);
    this.#runs.cancel(plugin);
  }

  /**
   * A plugin goes on the schedule when the first try to fetch it is over, so that its first slot finds it there.
   * Where that try failed the store goes on trying, and the plugin's slots pass until it is there.
   */
  async #fetchAndSchedule(plugin: ManagedPlugin, definition: PluginDefinition): Promise<void> {
    await this.#store.ensure(definition);
    const isWanted = this.#plugins.get(plugin.key) === plugin && plugin.definition === definition;
    if (!isWanted) return;
    if (definition.mode === 'stream') {
      this.#schedule.remove(plugin.key);
      this.#streams.keep(plugin);
    } else {
      this.#streams.drop(plugin);
      this.#schedule.set(plugin.key, definition.interval);
    }
  }
}

function scheduledNamespaces(definitions: readonly PluginDefinition[]): ReadonlySet<string> {
  const scheduled = definitions.filter(({ interval }) => interval.kind !== 'on-demand');
  return new Set(scheduled.map(({ namespace }) => namespace));
}
