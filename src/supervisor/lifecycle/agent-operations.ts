import type { RunOutcome } from '../../shared/messages.js';
import type { Posts } from '../delivery/posts.js';
import type { PublisherThread } from '../delivery/publisher-thread.js';
import type { HostThread } from '../host/host-thread.js';
import type {
  AgentStatus,
  MetricsText,
  Operations,
  PluginEnabling,
  PluginListing,
  PluginReference,
  PluginUpdate,
  PostAnswer,
  RunRequest,
  SyncChanges,
} from '../http/operations.js';
import { agentMetrics } from '../metrics/agent-metrics.js';
import type { EventLoopLag } from '../metrics/event-loop-lag.js';
import { readProcessUsage } from '../metrics/process-usage.js';
import type { PluginStore } from '../plugin-store/plugin-store.js';
import type { DisabledPlugins } from '../plugins/disabled-plugins.js';
import type { ManagedPlugin } from '../plugins/managed-plugin.js';
import type { PluginRuns } from '../plugins/plugin-runs.js';
import type { PluginSet } from '../plugins/plugin-set.js';
import type { PluginStreams } from '../plugins/plugin-streams.js';
import type { PluginDefinition } from '../registry/plugin-definition.js';
import type { RegistryProblem } from '../registry/registry-view.js';
import type { Schedule } from '../schedule/schedule.js';
import type { RegistrySync, SyncOutcome } from './registry-sync.js';

/** The parts of the agent that operators' calls reach. */
export interface OperationParts {
  readonly version: string;
  readonly host: string;
  readonly sync: RegistrySync;
  /** Syncs now, and again soon after a failure. */
  readonly syncNow: () => Promise<SyncOutcome>;
  readonly store: PluginStore;
  readonly schedule: Schedule;
  readonly runs: PluginRuns;
  readonly streams: PluginStreams;
  readonly plugins: PluginSet;
  readonly disabled: DisabledPlugins;
  readonly posts: Posts;
  readonly publisher: PublisherThread;
  readonly hostThread: HostThread;
  readonly eventLoopLag: EventLoopLag;
}

/** What operators can ask of the agent, answered from its parts. */
export class AgentOperations implements Operations {
  readonly #parts: OperationParts;
  readonly #startedAt = new Date();

  constructor(parts: OperationParts) {
    this.#parts = parts;
  }

  namespaces(): readonly string[] {
    return this.#parts.sync.namespaces;
  }

  async status(): Promise<AgentStatus> {
    const { version, host, sync, runs, posts, publisher, hostThread } = this.#parts;
    return {
      version,
      pid: process.pid,
      startedAt: this.#startedAt.toISOString(),
      uptimeSeconds: Math.floor(process.uptime()),
      host,
      namespaces: this.namespaces(),
      plugins: this.#pluginCounts(),
      registry: sync.state,
      outputs: (await publisher.status())?.outputs,
      runs: { ...runs.counts, waiting: runs.waiting, lateness: runs.lateness },
      posts: { ...posts.counts },
      measured: hostThread.counts,
    };
  }

  async metrics(): Promise<MetricsText> {
    const [status, usage] = await Promise.all([this.status(), readProcessUsage()]);
    return agentMetrics({ status, usage, lag: this.#parts.eventLoopLag.read() });
  }

  async sync(): Promise<SyncChanges> {
    const { changes, problems } = await this.#parts.syncNow();
    return {
      added: changes.added.map(referenceOf),
      changed: changes.changed.map(referenceOf),
      removed: changes.removed.map(referenceOf),
      unchanged: changes.unchanged,
      problems: problems.map(problemText),
    };
  }

  plugins(): readonly PluginListing[] {
    return [...this.#parts.plugins.list()].map((plugin) => this.#listing(plugin));
  }

  async updatePlugin({ namespace, repo }: PluginReference): Promise<PluginUpdate> {
    const plugin = this.#parts.plugins.find(namespace, repo);
    const update = await this.#parts.store.update(plugin.definition);
    if (update.changed) this.#parts.streams.restart(plugin);
    return update;
  }

  async runPlugin({ namespace, repo }: PluginReference, request: RunRequest): Promise<RunOutcome> {
    const { plugins, store, runs } = this.#parts;
    await store.ensure(plugins.find(namespace, repo).definition);
    // Meanwhile the registry may have taken it off this host.
    return runs.runCalled(plugins.find(namespace, repo), request.timeoutMs, request.parameters);
  }

  async setPluginEnabled({ namespace, repo }: PluginReference, enabled: boolean): Promise<PluginEnabling> {
    const { disabled, plugins, streams } = this.#parts;
    const plugin = plugins.find(namespace, repo);
    const wasDisabled = disabled.disabledUntil(plugin.key) !== undefined;
    try {
      if (!enabled) return { enabledAgainAt: (await disabled.disable(plugin.key)).toISOString() };
      await disabled.enable(plugin.key);
      return {};
    } finally {
      // Also when it could not be written down: until the agent ends it holds.
      if (wasDisabled === enabled) streams.restart(plugin);
    }
  }

  async post(namespace: string, body: Buffer): Promise<PostAnswer> {
    return this.#parts.posts.post(namespace, body);
  }

  #pluginCounts(): AgentStatus['plugins'] {
    const listings = this.plugins();
    return {
      known: listings.length,
      enabled: listings.filter(({ enabled }) => enabled).length,
      running: listings.filter(({ running }) => running).length,
      failed: listings.filter(({ state }) => state === 'failed').length,
    };
  }

  #listing(plugin: ManagedPlugin): PluginListing {
    const { definition, lastRun } = plugin;
    const until = this.#parts.disabled.disabledUntil(plugin.key);
    const commit = this.#parts.store.versionOf(definition);
    const problem = this.#parts.store.problemOf(definition);
    const stream = this.#parts.streams.stateOf(plugin);
    return {
      ns: definition.namespace,
      name: definition.name,
      repo: definition.repo,
      project: definition.project,
      interval: intervalOf(definition),
      mode: definition.mode,
      enabled: until === undefined,
      enabledAgainAt: until?.toISOString(),
      running: this.#parts.runs.isRunning(plugin),
      commit,
      state: fetchState(commit, problem),
      problem,
      nextRunAt: this.#parts.schedule.nextRunAt(plugin.key)?.toISOString(),
      lastRun: lastRun && {
        status: lastRun.status,
        value: lastRun.value,
        durationMs: lastRun.durationMs,
        points: lastRun.points,
        latenessMs: lastRun.latenessMs,
        endedAt: lastRun.endedAt.toISOString(),
        problem: lastRun.problem,
      },
      runs: plugin.runs,
      skipped: plugin.skipped,
      stream: stream && { ...stream, startedAt: stream.startedAt?.toISOString() },
    };
  }
}

function problemText({ namespace, name, reason }: RegistryProblem): string {
  const about = [namespace, name].filter((part) => part !== undefined).join(' ');
  return about === '' ? reason : `${about}: ${reason}`;
}

function referenceOf({ namespace, repo }: PluginDefinition): PluginReference {
  return { namespace, repo };
}

function fetchState(commit: string | undefined, problem: string | undefined): PluginListing['state'] {
  if (commit !== undefined) return 'ready';
  return problem === undefined ? 'pending' : 'failed';
}

function intervalOf({ interval }: PluginDefinition): number | string {
  if (interval.kind === 'cron') return interval.expression;
  return interval.kind === 'every' ? interval.seconds : 0;
}
