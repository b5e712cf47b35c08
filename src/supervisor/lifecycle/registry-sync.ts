import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import type { AgentStatus } from '../http/operations.js';
import type { PluginChanges, PluginSet } from '../plugins/plugin-set.js';
import type { Registry } from '../registry/registry.js';
import type { RegistryView } from '../registry/registry-view.js';

/** What a sync changed, and what of the registry's answer could not be used. */
export interface SyncOutcome extends Pick<RegistryView, 'problems' | 'stale'> {
  readonly changes: PluginChanges;
}

/** Brings what the registry says to the plugins, and remembers how the last sync went. */
export class RegistrySync {
  readonly #registry: Registry;
  readonly #plugins: PluginSet;
  readonly #log: Log;
  readonly #address: string;
  #namespaces: readonly string[] = [];
  #lastSyncAt: Date | undefined;
  #problem: string | undefined;

  /** @param address of the registry, without credentials, for the status */
  constructor(registry: Registry, plugins: PluginSet, address: string, log: Log) {
    this.#registry = registry;
    this.#plugins = plugins;
    this.#address = address;
    this.#log = log;
  }

  get namespaces(): readonly string[] {
    return this.#namespaces;
  }

  get state(): AgentStatus['registry'] {
    return { address: this.#address, lastSyncAt: this.#lastSyncAt?.toISOString(), problem: this.#problem };
  }

  /** Starts with what an earlier run of the agent last knew, so that a registry that is away delays nothing. */
  async applyLastKnown(): Promise<void> {
    const view = await this.#registry.lastKnown();
    if (view) this.#apply(view);
  }

  /**
   * Asks the registry and applies the answer.
   * @throws CodedError `registry`; everything then stays as it was
   */
  async now(): Promise<SyncOutcome> {
    try {
      const view = await this.#registry.sync();
      this.#lastSyncAt = new Date();
      this.#problem = problemOf(view);
      return { changes: this.#apply(view), problems: view.problems, stale: view.stale };
    } catch (thrown) {
      this.#problem = reasonOf(thrown);
      throw thrown;
    }
  }

  #apply(view: RegistryView): PluginChanges {
    this.#namespaces = view.namespaces;
    const changes = this.#plugins.apply(view.plugins);
    const { added, changed, removed, unchanged } = changes;
    const counts = { added: added.length, changed: changed.length, removed: removed.length, unchanged };
    if (added.length + changed.length + removed.length > 0) {
      this.#log.info(
        counts,
        `plugins: ${counts.added} added, ${counts.changed} changed, ${counts.removed} removed, ${unchanged} as before`,
      );
    }
    return changes;
  }
}

/** For the status: the details are in the log and in the answer of `/update`. */
function problemOf({ stale, problems }: RegistryView): string | undefined {
  if (stale.length > 0) return `no answer for ${stale.join(', ')}; what was known of them is used`;
  return problems.length > 0 ? `${problems.length} items could not be used` : undefined;
}
