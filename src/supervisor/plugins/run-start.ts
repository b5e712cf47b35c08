import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import type { RunOutcome, RunSummary } from '../../shared/messages.js';
import type { LaneWriter } from '../../shared/ring/lane-writer.js';
import { notStarted, RunMetrics } from '../../shared/run-metric.js';
import type { PluginCgroups } from '../cgroups/plugin-cgroups.js';
import type { HeldVersion } from '../plugin-store/held-version.js';
import type { PoolRun } from './given-plans.js';
import type { RunAs } from './run-as.js';
import { RunPlans } from './run-plans.js';
import { type Run, type RunPlace, type RunSettings, runTask } from './run-task.js';
import type { RunnerPool } from './runner-pool.js';

/** What runs are started with. */
export interface RunStartParts {
  readonly settings: RunSettings;
  readonly pool: RunnerPool;
  /** Folder of the plugin store. */
  readonly storeFolder: string;
  /** For the run metric of a run that no runner could finish. */
  readonly lane: LaneWriter;
  /** Asked before every run, as users come and go. */
  readonly runAs: () => RunAs;
  readonly cgroups: PluginCgroups | undefined;
  readonly log: Log;
}

/** What a shell answers when a program is there and cannot be executed. */
const NOT_EXECUTED = 126;

/** Gives runs to the runner pool, and says of those that it could not do how they ended. */
export class RunStart {
  readonly #parts: RunStartParts;
  readonly #plans: RunPlans;

  constructor(parts: RunStartParts) {
    this.#parts = parts;
    this.#plans = new RunPlans(parts.settings);
  }

  /** Begins a run. `over` hears once how it ended, also when it could not begin; it must not throw. */
  start(run: Run, held: HeldVersion, over: (outcome: RunSummary | RunOutcome) => void): void {
    const runAs = this.#parts.runAs();
    if ('problem' in runAs) {
      over(this.#notStarted(run, runAs.problem));
      return;
    }
    const { pool, cgroups, storeFolder } = this.#parts;
    const startedAt = performance.now();
    const lost = (problem: string) => {
      cgroups?.kill(run.plugin.key);
      const durationMs = Math.round(performance.now() - startedAt);
      over(this.#notStarted(run, `its runner died: ${problem}`, durationMs));
    };
    let poolRun: PoolRun;
    try {
      poolRun = this.#poolRun(run, { held, storeFolder, user: runAs.user, cgroups });
    } catch (thrown) {
      lost(reasonOf(thrown));
      return;
    }
    pool.begin(poolRun, (end) => {
      if ('outcome' in end) over(end.outcome);
      else lost(end.problem);
    });
  }

  /** Forgets all about a plugin that is gone and has no run under way; whatever it left running is ended. */
  forget(key: string): void {
    const { pool, cgroups } = this.#parts;
    this.#plans.forget(key);
    pool.forgetPlan(key);
    cgroups?.remove(key);
  }

  /** Only scheduled runs are all alike. */
  #poolRun(run: Run, place: RunPlace): PoolRun {
    if (run.trigger !== 'regular') return runTask(run, place, this.#parts.settings);
    return { plan: this.#plans.planOf(run, place), runId: run.id, dueAtMs: run.dueAtMs };
  }

  /** The outcome of a run that came to nothing before or beside the plugin itself; its run metric is written here. */
  #notStarted({ plugin, trigger }: Run, reason: string, durationMs = 0): RunOutcome {
    const { namespace, name, repo } = plugin.definition;
    const { settings, lane, log } = this.#parts;
    const fields = { namespace, plugin: name };
    const problem = `plugin ${name} could not be run: ${reason}`;
    log.warn(fields, problem);
    const outcome = notStarted(NOT_EXECUTED, problem, durationMs);
    const place = { database: settings.databasePrefix + namespace, host: settings.host };
    const document = new RunMetrics({ pluginName: name, repo, trigger }, place).metricOf(outcome);
    const position = lane.tryWrite({ namespace, document, awaited: false });
    if (position === undefined) log.warn(fields, `no room in the ring for the run metric of ${plugin.key}`);
    return outcome;
  }
}
