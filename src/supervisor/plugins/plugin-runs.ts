import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import type { PluginUser, RunOutcome, RunTask } from '../../shared/messages.js';
import type { PluginLimits } from '../../shared/plugin-limits.js';
import type { LaneWriter } from '../../shared/ring/lane-writer.js';
import { notStarted, runMetric } from '../../shared/run-metric.js';
import { type StreamControl, wantEnd } from '../../shared/stream-control.js';
import { isOverWithin } from '../../shared/within.js';
import type { PluginCgroups } from '../cgroups/plugin-cgroups.js';
import type { HeldVersion } from '../plugin-store/held-version.js';
import type { PluginStore } from '../plugin-store/plugin-store.js';
import type { PluginInterval } from '../registry/plugin-definition.js';
import type { ManagedPlugin } from './managed-plugin.js';
import { pluginEnvironment } from './plugin-environment.js';
import type { RunAs } from './run-as.js';
import { type Lateness, RunLateness } from './run-lateness.js';
import { RunTurns } from './run-turns.js';
import type { RunnerPool } from './runner-pool.js';

/** A plugin gets its interval less this, so that it is over before it is due again. */
const INTERVAL_MARGIN_MS = 500;

/** After their plugins were killed, runs have so long to put what these printed into the ring. */
const STOP_MARGIN_MS = 3000;

/** A run that is to be ended may not have its process yet: looked for this often. */
const SIGNAL_EVERY_MS = 50;

/** Run ids are positive 32-bit numbers, as the child table holds them. */
const RUN_ID_MAX = 2 ** 31 - 1;

/** What holds for every run. */
export interface RunSettings {
  readonly databasePrefix: string;
  readonly host: string;
  /** No run takes longer than this, however long the plugin's interval and whatever a caller asks for. */
  readonly maxTimeoutMs: number;
  readonly graceMs: number;
  readonly maxOutputBytes: number;
  /** Where the registry sets no others. */
  readonly limits: PluginLimits;
  /** Scheduled runs at the same time. */
  readonly maxProcesses: number;
  /** Names of variables of the agent's environment that plugins get. */
  readonly passedEnvironment: readonly string[];
}

interface Run {
  readonly id: number;
  readonly plugin: ManagedPlugin;
  readonly trigger: RunTask['trigger'];
  /** What a caller asks for; scheduled runs have what the registry and the configuration say when they begin. */
  readonly wanted: {
    readonly timeoutMs?: number;
    readonly parameters?: readonly string[] | undefined;
    /** Of a run that goes on until it is ended. */
    readonly stream?: StreamControl;
  };
  /** When it should have begun, in unix ms; undefined when nobody planned it. */
  readonly dueAtMs: number | undefined;
  state: 'waiting' | 'running';
  /** The plugin is gone when this run has ended. */
  isLast: boolean;
}

/** Runs since the agent started, by how they ended; those that were due too early are skipped. */
export interface RunCounts {
  ok: number;
  failed: number;
  skipped: number;
}

/** Starts runs of plugins in the runner pool: one at a time of each plugin, a bounded number in all. */
export class PluginRuns {
  readonly counts: RunCounts = { ok: 0, failed: 0, skipped: 0 };
  readonly #settings: RunSettings;
  readonly #pool: RunnerPool;
  readonly #store: PluginStore;
  readonly #lane: LaneWriter;
  readonly #runAs: () => RunAs;
  readonly #cgroups: PluginCgroups | undefined;
  readonly #log: Log;
  readonly #turns: RunTurns;
  readonly #lateness = new RunLateness();
  /** The one run of each plugin, by the plugin's key: it outlives a plugin that is removed and comes again. */
  readonly #current = new Map<string, Run>();
  readonly #underWay = new Set<Promise<unknown>>();
  #lastRunId = 0;
  #isStopping = false;

  constructor(options: {
    readonly settings: RunSettings;
    readonly pool: RunnerPool;
    readonly store: PluginStore;
    /** For the run metric of a run that no runner could finish. */
    readonly lane: LaneWriter;
    /** Asked before every run, as users come and go. */
    readonly runAs: () => RunAs;
    /** Undefined where there are none. */
    readonly cgroups: PluginCgroups | undefined;
    readonly log: Log;
  }) {
    this.#settings = options.settings;
    this.#pool = options.pool;
    this.#store = options.store;
    this.#lane = options.lane;
    this.#runAs = options.runAs;
    this.#cgroups = options.cgroups;
    this.#log = options.log;
    this.#turns = new RunTurns(options.settings.maxProcesses, options.log);
  }

  /** Whether a run of the plugin is under way; one that only waits for a place is not. */
  isRunning({ key }: ManagedPlugin): boolean {
    return this.#current.get(key)?.state === 'running';
  }

  /** Scheduled runs that are due and wait for a place. */
  get waiting(): number {
    return this.#turns.waiting;
  }

  /** How late the scheduled runs of the last minutes began. */
  get lateness(): Lateness {
    return this.#lateness.read();
  }

  /** Says which namespaces have plugins on schedule, so that each of them finds a place. */
  setNamespaces(namespaces: ReadonlySet<string>): void {
    this.#turns.setNamespaces(namespaces);
  }

  /**
   * Runs a plugin that is due. A plugin whose last run is still under way, or waits, is skipped and counted.
   * @param dueAtMs unix ms
   */
  runDue(plugin: ManagedPlugin, dueAtMs: number): void {
    if (this.#isStopping) return;
    const current = this.#current.get(plugin.key);
    if (current) {
      const why = current.state === 'waiting' ? 'still waits for a place' : 'is still running';
      this.#skip(plugin, why);
      return;
    }
    const run = this.#occupy(plugin, 'regular', {}, dueAtMs);
    const { namespace } = plugin.definition;
    const hungBefore = plugin.lastRun?.status === 'timeout';
    this.#turns
      .take({ namespace, dueAtMs, hungBefore }, () => this.#runInTurn(run))
      .catch((thrown: unknown) => {
        this.#log.error(this.#fields(plugin), `a run of ${plugin.key} came to nothing: ${reasonOf(thrown)}`);
      });
  }

  /**
   * Runs a plugin now, because somebody called for it; there is always a place for that. A scheduled run that waits
   * is replaced by it.
   * @param timeoutMs the configured bound of a run goes before it
   * @param parameters undefined: those of the registry
   * @throws CodedError `running`, `stream`, `stopping`, `plugin-store` when the plugin is not there to be run
   */
  async runCalled(
    plugin: ManagedPlugin,
    timeoutMs: number,
    parameters: readonly string[] | undefined,
  ): Promise<RunOutcome> {
    if (plugin.definition.mode === 'stream') {
      throw new CodedError(
        'stream',
        `${plugin.key} runs all the time and cannot be run on call; /plugins/list says how it is`,
      );
    }
    if (this.#isStopping) throw new CodedError('stopping', 'the agent is stopping and starts no more runs');
    if (this.isRunning(plugin)) {
      throw new CodedError(
        'running',
        `${plugin.key} is running already; nothing was started, try again when it has ended`,
      );
    }
    if (this.#current.has(plugin.key)) this.#skip(plugin, 'still waits for a place and is called for');
    const run = this.#occupy(plugin, 'call', { timeoutMs, parameters });
    const outcome = await this.#follow(this.#run(run));
    if (outcome) return outcome;
    const problem =
      this.#store.problemOf(plugin.definition) ?? 'it is still being fetched, try again in a moment';
    throw new CodedError('plugin-store', `${plugin.key} cannot be run: ${problem}`);
  }

  /**
   * Runs a plugin until it ends by itself or is cancelled; that has no bound, and takes no turn. Undefined when nothing
   * was run, as its files are not there yet or an earlier run of it is still under way.
   */
  async runStream(plugin: ManagedPlugin, stream: StreamControl): Promise<RunOutcome | undefined> {
    if (this.#isStopping || this.isRunning(plugin)) return undefined;
    return this.#follow(this.#run(this.#occupy(plugin, 'stream', { stream })));
  }

  /** Ends the process of a plugin that runs all the time; the plugin itself stays. */
  endStream({ key }: ManagedPlugin): void {
    const run = this.#current.get(key);
    if (run?.wanted.stream) void this.#end(run);
  }

  /** Ends the run of a plugin that is no longer wanted, also one that has no process yet. */
  cancel({ key }: ManagedPlugin): void {
    const run = this.#current.get(key);
    if (run?.state === 'running') {
      run.isLast = true;
      void this.#end(run);
      return;
    }
    this.#current.delete(key);
    this.#cgroups?.remove(key);
  }

  /**
   * Starts no more runs, also none of those in line, ends those under way and waits until their outcomes are in the
   * ring.
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#turns.close();
    for (const { wanted } of this.#current.values()) if (wanted.stream) wantEnd(wanted.stream);
    this.#pool.signalAll('SIGTERM');
    const kill = setTimeout(() => this.#pool.signalAll('SIGKILL'), this.#settings.graceMs);
    await isOverWithin(this.#settings.graceMs + STOP_MARGIN_MS, Promise.allSettled(this.#underWay));
    clearTimeout(kill);
    if (this.#underWay.size > 0) {
      this.#log.error(
        { runs: this.#underWay.size },
        `${this.#underWay.size} runs could not put their points into the ring: it is full`,
      );
    }
  }

  #skip(plugin: ManagedPlugin, why: string): void {
    plugin.skipped += 1;
    this.counts.skipped += 1;
    this.#log.debug(this.#fields(plugin), `${plugin.key} ${why} and was skipped`);
  }

  /** Makes a run the plugin's current one; `#run` ends that. */
  #occupy(plugin: ManagedPlugin, trigger: Run['trigger'], wanted: Run['wanted'], dueAtMs?: number): Run {
    this.#lastRunId = (this.#lastRunId % RUN_ID_MAX) + 1;
    const run: Run = {
      id: this.#lastRunId,
      plugin,
      trigger,
      wanted,
      dueAtMs,
      state: 'waiting',
      isLast: false,
    };
    this.#current.set(plugin.key, run);
    return run;
  }

  async #follow<T>(run: Promise<T>): Promise<T> {
    this.#underWay.add(run);
    return run.finally(() => this.#underWay.delete(run));
  }

  /** Its turn has come; meanwhile it may have been cancelled, or replaced by a run that was called for. */
  async #runInTurn(run: Run): Promise<void> {
    if (this.#isStopping || this.#current.get(run.plugin.key) !== run) return;
    await this.#follow(this.#run(run));
  }

  async #end(run: Run): Promise<void> {
    if (run.wanted.stream) wantEnd(run.wanted.stream);
    const isOver = () => this.#current.get(run.plugin.key) !== run;
    while (!isOver() && !this.#pool.signalRun(run.id, 'SIGTERM')) {
      await sleep(SIGNAL_EVERY_MS, undefined, { ref: false });
    }
    await sleep(this.#settings.graceMs, undefined, { ref: false });
    if (!isOver()) this.#pool.signalRun(run.id, 'SIGKILL');
  }

  /** Undefined: nothing was run, as the plugin's files are not there; the store is fetching them. */
  async #run(run: Run): Promise<RunOutcome | undefined> {
    const { plugin } = run;
    run.state = 'running';
    const held = this.#store.acquire(plugin.definition);
    try {
      const outcome = held && (await this.#runIn(held, run));
      if (outcome) this.#note(plugin, outcome);
      return outcome;
    } finally {
      this.#current.delete(plugin.key);
      if (run.isLast) this.#cgroups?.remove(plugin.key);
      held?.release();
    }
  }

  async #runIn(held: HeldVersion, run: Run): Promise<RunOutcome> {
    const runAs = this.#runAs();
    if ('problem' in runAs) return this.#notStarted(run, runAs.problem);
    const startedAt = performance.now();
    try {
      return await this.#pool.run(this.#task(run, held, runAs.user));
    } catch (thrown) {
      this.#cgroups?.kill(run.plugin.key);
      const durationMs = Math.round(performance.now() - startedAt);
      return this.#notStarted(run, `its runner died: ${reasonOf(thrown)}`, durationMs);
    }
  }

  #task(
    { id, plugin, trigger, wanted, dueAtMs }: Run,
    held: HeldVersion,
    user: PluginUser | undefined,
  ): RunTask {
    const { definition } = plugin;
    const { maxTimeoutMs, graceMs, maxOutputBytes, passedEnvironment } = this.#settings;
    const boundMs = Math.min(wanted.timeoutMs ?? scheduledTimeoutMs(definition.interval), maxTimeoutMs);
    const timeoutMs = wanted.stream ? 0 : boundMs;
    const limits = {
      ...this.#settings.limits,
      // What runs all the time uses that much some day; an item may say otherwise.
      ...(wanted.stream && { cpuseconds: 0 }),
      ...definition.limits,
    };
    return {
      type: 'run',
      runId: id,
      namespace: definition.namespace,
      pluginName: definition.name,
      repo: definition.repo,
      trigger,
      dueAtMs,
      folder: held.folder,
      trust: {
        storeFolder: this.#store.folder,
        commit: held.version,
        fetchedSha256: held.sha256,
        pin: definition.pin,
      },
      stateFolder: held.stateFolder,
      parameters: wanted.parameters ?? definition.parameters,
      environment: pluginEnvironment(
        { plugin: definition, user, timeoutMs, stateFolder: held.stateFolder },
        passedEnvironment,
        process.env,
      ),
      user,
      limits,
      cgroup: this.#cgroups?.cgroupFor(plugin.key, limits),
      timeoutMs,
      graceMs,
      maxOutputBytes,
      format: definition.format,
      anyOutput: definition.interval.kind === 'on-demand',
      stream: wanted.stream,
    };
  }

  /** The outcome of a run that came to nothing before or beside the plugin itself; its run metric is written here. */
  #notStarted({ plugin, trigger }: Run, reason: string, durationMs = 0): RunOutcome {
    const { namespace, name, repo } = plugin.definition;
    const problem = `plugin ${name} could not be run: ${reason}`;
    this.#log.warn(this.#fields(plugin), problem);
    const outcome = notStarted(NOT_EXECUTED, problem, durationMs);
    const document = runMetric({ pluginName: name, repo, trigger }, outcome, {
      database: this.#settings.databasePrefix + namespace,
      host: this.#settings.host,
    });
    const position = this.#lane.tryWrite({ namespace, document, awaited: false });
    if (position === undefined)
      this.#log.warn(this.#fields(plugin), `no room in the ring for the run metric of ${plugin.key}`);
    return outcome;
  }

  #note(plugin: ManagedPlugin, outcome: RunOutcome): void {
    plugin.runs += 1;
    if (outcome.status === 'ok') this.counts.ok += 1;
    else this.counts.failed += 1;
    if (outcome.latenessMs !== undefined) this.#lateness.note(outcome.latenessMs);
    plugin.lastRun = {
      status: outcome.status,
      value: outcome.value,
      durationMs: outcome.durationMs,
      points: outcome.points,
      latenessMs: outcome.latenessMs,
      endedAt: new Date(),
      problem: outcome.problem,
    };
  }

  #fields({ definition }: ManagedPlugin) {
    return { namespace: definition.namespace, plugin: definition.name };
  }
}

/** A cron expression leaves it to the configured bound. */
function scheduledTimeoutMs(interval: PluginInterval): number {
  return interval.kind === 'every' ? interval.seconds * 1000 - INTERVAL_MARGIN_MS : Number.POSITIVE_INFINITY;
}

/** What a shell answers when a program is there and cannot be executed. */
const NOT_EXECUTED = 126;
