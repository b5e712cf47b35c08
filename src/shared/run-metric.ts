import { runMeasurement } from './measurement.js';
import type { RunOutcome, RunTask } from './messages.js';
import { PointForm, type PointsDocument } from './points-document.js';

/** What of a run's task is told in its metric. */
export type MeasuredRun = Pick<RunTask, 'pluginName' | 'repo' | 'trigger'>;

/** Makes the points that say how runs of a plugin ended; one goes to the plugin's namespace after every run. */
export class RunMetrics {
  readonly #form: PointForm;

  constructor(
    { pluginName, repo, trigger }: MeasuredRun,
    place: { readonly database: string; readonly host: string },
  ) {
    this.#form = new PointForm(place, runMeasurement(pluginName), { repo, type: trigger });
  }

  /** The point about a run that has just ended. Processor time is in milliseconds, memory in bytes. */
  metricOf({ status, value, durationMs, points, latenessMs, usage }: RunOutcome): PointsDocument {
    const fields: Record<string, number> = { value, duration: durationMs, points };
    if (latenessMs !== undefined) fields.lateness = latenessMs;
    if (usage !== undefined) {
      fields.user = usage.userMs;
      fields.system = usage.systemMs;
      if (usage.maxRssBytes !== undefined) fields.maxrss = usage.maxRssBytes;
    }
    return this.#form.encode(Math.floor(Date.now() / 1000), fields, ['status', status]);
  }
}

/**
 * The outcome of a run that came to nothing.
 * @param value as shells say it: 126 could not be executed, 127 not found
 */
export function notStarted(value: 126 | 127, problem: string, durationMs = 0): RunOutcome {
  return {
    status: 'spawn',
    value,
    exitCode: undefined,
    signal: undefined,
    durationMs,
    usage: undefined,
    points: 0,
    badMetrics: 0,
    problem,
    stdoutEnd: '',
    stderrEnd: '',
  };
}
