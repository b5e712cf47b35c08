import { runMeasurement } from './measurement.js';
import type { RunOutcome, RunTask } from './messages.js';
import type { ResourceUsage } from './native/process-calls.js';
import { encodePoint, type PointsDocument } from './points-document.js';

/** What of a run's task is told in its metric. */
export type MeasuredRun = Pick<RunTask, 'pluginName' | 'repo' | 'trigger'>;

/** The point that says how a run of a plugin ended; one goes to the plugin's namespace after every run. */
export function runMetric(
  { pluginName, repo, trigger }: MeasuredRun,
  { status, value, durationMs, points, latenessMs, usage }: RunOutcome,
  place: { readonly database: string; readonly host: string },
): PointsDocument {
  return encodePoint(
    {
      measurement: runMeasurement(pluginName),
      timestamp: Math.floor(Date.now() / 1000),
      tags: { repo, type: trigger, status },
      fields: {
        value,
        duration: durationMs,
        points,
        ...(latenessMs !== undefined && { lateness: latenessMs }),
        ...(usage && usageFields(usage)),
      },
    },
    place.database,
    place.host,
  );
}

/** Processor time in milliseconds, memory in bytes. */
function usageFields({ userMs, systemMs, maxRssBytes }: ResourceUsage) {
  return { user: userMs, system: systemMs, ...(maxRssBytes !== undefined && { maxrss: maxRssBytes }) };
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
