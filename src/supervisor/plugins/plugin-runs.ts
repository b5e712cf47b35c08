import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import { counted } from '../../shared/counted.js';
import type { Log } from '../../shared/log.js';
import type { RunOutcome, RunSummary } from '../../shared/messages.js';
import { type StreamControl, wantEnd } from '../../shared/stream-control.js';
import { isOverWithin } from '../../shared/within.js';
import type { HeldVersion } from '../plugin-store/held-version.js';
import type { PluginStore } from '../plugin-store/plugin-store.js';
import type { ManagedPlugin } from './managed-plugin.js';
import { type Lateness, RunLateness } from './run-lateness.js';
import { RunStart, type RunStartParts } from './run-start.js';
import type { Run, RunSettings } from './run-task.js';
import { RunTurns, type Turn } from './run-turns.js';
import type { RunnerPool } from './runner-pool.js';

/** After their plugins were killed, runs have so long to put what these printed into the ring. */
const STOP_MARGIN_MS = 3000;

/** A run that is to be ended may not have its process yet: looked for this often. */
const SIGNAL_EVERY_MS = 50;

/** Run ids are positive 32-bit numbers, as the child table holds them. */
const RUN_ID_MAX = 2 ** 31 - 1;

/** Runs since the agent started, by how they ended; those that were due too early are skipped. */
export interface RunCounts {
  ok: number;
  failed: number;
  skipped: number;
}

/** A scheduled run, whose turn has to come. */
type DueRun = Run & Turn;

const NOTHING_WANTED = {};

/** Starts runs of plugins in the runner pool: one at a time of each plugin, a bounded number in all. */
export class PluginRuns {
  readonly counts: RunCounts = { ok: 0, failed: 0, skipped: 0 };
  readonly #settings: RunSettings;
  readonly #pool: RunnerPool;
  readonly #store: PluginStore;
  readonly #start: RunStart;
  readonly #log: Log;
  readonly #turns: RunTurns<DueRun>;
  readonly #lateness = new RunLateness();
  /** The one run of each plugin, by the plugin's key: it outlives a plugin that is removed and comes again. */
  readonly #current = new Map<string, Run>();
  #underWay = 0;
  #noneIsUnderWay: (() => void) | undefined;
  #lastRunId = 0;
  #isStopping = false;

  constructor({ store, ...parts }: Omit<RunStartParts, 'storeFolder'> & { readonly store: PluginStore }) {
    this.#settings = parts.settings;
    this.#pool = parts.pool;
    this.#store = store;
    this.#start = new RunStart({ ...parts, storeFolder: store.folder });
    this.#log = parts.log;
    this.#turns = new RunTurns(parts.settings.maxProcesses, (run: DueRun) => this.#runInTurn(run), parts.log);
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
    const run: DueRun = {
      id: this.#nextId(),
      plugin,
      trigger: 'regular',
      wanted: NOTHING_WANTED,
      dueAtMs,
      state: 'waiting',
      isLast: false,
      namespace: plugin.definition.namespace,
      hungBefore: plugin.lastRun?.status === 'timeout',
    };
    this.#current.set(plugin.key, run);
    this.#turns.take(run);
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
    const outcome = await this.#run(run);
    if (outcome !== undefined && 'stdoutEnd' in outcome) return outcome;
    const problem =
      this.#store.problemOf(plugin.definition) ?? 'it is still being fetched, try again in a moment';
    throw new CodedError('plugin-store', `${plugin.key} cannot be run: ${problem}`);
  }

  /**
   * Runs a plugin until it ends by itself or is cancelled; that has no bound, and takes no turn. Undefined when nothing
   * was run, as its files are not there yet or an earlier run of it is still under way.
   */
  async runStream(plugin: ManagedPlugin, stream: StreamControl): Promise<RunSummary | undefined> {
    if (this.#isStopping || this.isRunning(plugin)) return undefined;
    return this.#run(this.#occupy(plugin, 'stream', { stream }));
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
    this.#start.forget(key);
  }

  /**
   * Starts no more runs, also none of those in line, ends those under way and waits until their outcomes are in the
   * ring.
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#turns.close();
    for (const { wanted } of this.#current.values()) if (wanted.stream) wantEnd(wanted.stream);
    const asked = new Set<number>();
    const ask = () => this.#pool.signalAll('SIGTERM', asked);
    ask();
    const asking = setInterval(ask, SIGNAL_EVERY_MS);
    const kill = setTimeout(() => this.#pool.signalAll('SIGKILL'), this.#settings.graceMs);
    await isOverWithin(this.#settings.graceMs + STOP_MARGIN_MS, this.#untilNoneIsUnderWay());
    clearInterval(asking);
    clearTimeout(kill);
    if (this.#underWay > 0) {
      this.#log.error(
        { runs: this.#underWay },
        `${counted(this.#underWay, 'run could not put its points', 'runs could not put their points')} into the ring: it is full`,
      );
    }
  }

  #skip(plugin: ManagedPlugin, why: string): void {
    plugin.skipped += 1;
    this.counts.skipped += 1;
    this.#log.debug(this.#fields(plugin), `${plugin.key} ${why} and was skipped`);
  }

  /** Makes a run that takes no turn the plugin's current one. */
  #occupy(plugin: ManagedPlugin, trigger: Run['trigger'], wanted: Run['wanted']): Run {
    const id = this.#nextId();
    const run: Run = { id, plugin, trigger, wanted, dueAtMs: undefined, state: 'waiting', isLast: false };
    this.#current.set(plugin.key, run);
    return run;
  }

  #nextId(): number {
    this.#lastRunId = (this.#lastRunId % RUN_ID_MAX) + 1;
    return this.#lastRunId;
  }

  /** Its turn has come; meanwhile it may have been cancelled, or replaced by a run that was called for. */
  #runInTurn(run: DueRun): void {
    if (this.#isStopping || this.#current.get(run.plugin.key) !== run) {
      this.#turns.end(run);
      return;
    }
    try {
      this.#begin(run, () => this.#turns.end(run));
    } catch (thrown) {
      this.#logFailure(run.plugin, thrown);
      this.#current.delete(run.plugin.key);
      this.#turns.end(run);
    }
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

  #run(run: Run): Promise<RunSummary | RunOutcome | undefined> {
    return new Promise((resolve) => this.#begin(run, resolve));
  }

  /**
   * Begins the plugin's current run. `over` hears what came of it, by then it is not the current one any more;
   * undefined: nothing was run, as the plugin's files are not there; the store is fetching them.
   */
  #begin(run: Run, over: (outcome: RunSummary | RunOutcome | undefined) => void): void {
    const { key, definition } = run.plugin;
    run.state = 'running';
    // Somebody waits for what comes of it, or it comes seldom.
    if (run.trigger !== 'regular') this.#store.lookAgain(definition);
    const held = this.#store.acquire(definition, key);
    if (held === undefined) {
      this.#leave(run);
      over(undefined);
      return;
    }
    this.#underWay += 1;
    this.#start.start(run, held, (outcome) => {
      this.#close(run, held, outcome);
      over(outcome);
    });
  }

  #close(run: Run, held: HeldVersion, outcome: RunSummary): void {
    const { plugin } = run;
    try {
      this.#leave(run);
      held.release();
      this.#note(plugin, outcome);
      // Its files may be gone.
      if (outcome.status === 'spawn') this.#store.lookAgain(plugin.definition);
    } catch (thrown) {
      this.#logFailure(plugin, thrown);
    }
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#noneIsUnderWay?.();
  }

  /** The plugin has no current run any more. */
  #leave({ plugin, isLast }: Run): void {
    this.#current.delete(plugin.key);
    if (isLast) this.#start.forget(plugin.key);
  }

  async #untilNoneIsUnderWay(): Promise<void> {
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => {
      this.#noneIsUnderWay = resolve;
    });
  }

  #note(plugin: ManagedPlugin, outcome: RunSummary): void {
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

  #logFailure(plugin: ManagedPlugin, thrown: unknown): void {
    this.#log.error(this.#fields(plugin), `a run of ${plugin.key} came to nothing: ${reasonOf(thrown)}`);
  }

  #fields({ definition }: ManagedPlugin) {
    return { namespace: definition.namespace, plugin: definition.name };
  }
}
