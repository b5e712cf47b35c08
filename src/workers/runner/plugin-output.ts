import type { RunTask } from '../../shared/messages.js';
import { readMetricList } from '../../shared/metric-list.js';
import { type DocumentSettings, type EncodedMetrics, encodeMetrics } from '../../shared/points-document.js';

/** What a plugin's stdout came to. */
export interface PluginOutput {
  readonly metrics: EncodedMetrics;
  /** Why the output is not understood; undefined when it is. */
  readonly problem: string | undefined;
}

const NO_METRICS: EncodedMetrics = { documents: [], points: 0, bad: [], badCount: 0 };
const EXCERPT_LENGTH = 80;

/** Makes documents of the metrics that a plugin printed. A plugin that may print anything is always understood. */
export function readPluginOutput(
  stdout: Buffer,
  { anyOutput }: Pick<RunTask, 'anyOutput'>,
  settings: DocumentSettings,
): PluginOutput {
  const read = readMetricList(stdout);
  if (read.type === 'no-list') {
    return {
      metrics: NO_METRICS,
      problem: anyOutput ? undefined : `its output ${read.reason}${excerpt(stdout)}`,
    };
  }
  const metrics = encodeMetrics(read.list, settings, Math.floor(Date.now() / 1000));
  const isOtherText = anyOutput && metrics.points === 0;
  return { metrics: isOtherText ? NO_METRICS : metrics, problem: undefined };
}

function excerpt(stdout: Buffer): string {
  if (stdout.length === 0) return '';
  const text = stdout.toString('utf8', 0, 4 * EXCERPT_LENGTH).trim();
  if (text === '') return '';
  const begin = text.slice(0, EXCERPT_LENGTH).replace(/\p{Cc}/gu, '.');
  return `; it begins with ${JSON.stringify(begin)}`;
}
