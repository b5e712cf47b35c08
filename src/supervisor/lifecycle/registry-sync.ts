import { reasonOf } from '../../shared/coded-error.js';
import { counted } from '../../shared/counted.js';
import type { Log } from '../../shared/log.js';
import { planHost } from '../host/host-plan.js';
import type { HostThread } from '../host/host-thread.js';
import type { AgentStatus } from '../http/operations.js';
import type { PluginChanges, PluginSet } from '../plugins/plugin-set.js';
import { ProblemLog } from '../registry/problem-log.js';
import type { Registry } from '../registry/registry.js';
import type { RegistryProblem, RegistryView } from '../registry/registry-view.js';

/** What a sync changed, and what of the registry's answer could not be used. */
export interface SyncOutcome extends Pick<RegistryView, 'problems' | 'stale'> {
  readonly changes: PluginChanges;
}

/** The parts that follow the registry. */
export interface RegistryFollowers {
  readonly plugins: Pick<PluginSet, 'apply'>;
  readonly hostThread: Pick<HostThread, 'setPlan'>;
}

/** Brings what the registry says to those who follow it, and remembers how the last sync went. */
export class RegistrySync {
  readonly #registry: Pick<Registry, 'lastKnown' | 'sync'>;
  readonly #followers: RegistryFollowers;
  readonly #log: Log;
  readonly #hostProblems: ProblemLog;
  readonly #address: string;
  #namespaces: readonly string[] = [];
  #lastSyncAt: Date | undefined;
  #problem: string | undefined;
  /** What came of the last answer, which those get, too, who have asked at the same time. */
  #last: { readonly view: RegistryView; readonly outcome: SyncOutcome } | undefined;

  /** @param address of the registry, without credentials, for the status */
  constructor(
    registry: Pick<Registry, 'lastKnown' | 'sync'>,
    followers: RegistryFollowers,
    address: string,
    log: Log,
  ) {
    this.#registry = registry;
    this.#followers = followers;
    this.#address = address;
    this.#log = log;
    this.#hostProblems = new ProblemLog(log);
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
    if (view) this.#applyPlugins(view);
    if (view) this.#applyHost(view);
  }

  /**
   * Asks the registry and applies the answer.
   * @throws CodedError `registry`; everything then stays as it was
   */
  async now(): Promise<SyncOutcome> {
    try {
      const view = await this.#registry.sync();
      if (this.#last?.view !== view) this.#last = { view, outcome: this.#apply(view) };
      return this.#last.outcome;
    } catch (thrown) {
      this.#problem = reasonOf(thrown);
      throw thrown;
    }
  }

  #apply(view: RegistryView): SyncOutcome {
    this.#lastSyncAt = new Date();
    const changes = this.#applyPlugins(view);
    const problems = [...view.problems, ...this.#applyHost(view)];
    this.#problem = problemOf(view.stale, problems);
    return { changes, problems, stale: view.stale };
  }

  #applyPlugins(view: RegistryView): PluginChanges {
    this.#namespaces = view.namespaces;
    const changes = this.#followers.plugins.apply(view.plugins, view.mistakenPlugins);
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

  /** Items about the host that cannot be followed. */
  #applyHost(view: RegistryView): readonly RegistryProblem[] {
    const { plan, problems } = planHost(view);
    this.#hostProblems.say(problems);
    this.#followers.hostThread.setPlan(plan);
    return problems;
  }
}

/** For the status: the details are in the log and in the answer of `/update`. */
function problemOf(stale: readonly string[], problems: readonly RegistryProblem[]): string | undefined {
  if (stale.length > 0) return `no answer for ${stale.join(', ')}; what was known of them is used`;
  return problems.length > 0 ? `${counted(problems.length, 'item')} could not be used` : undefined;
}
