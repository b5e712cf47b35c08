import { isUtf8 } from 'node:buffer';
import type { RunTask } from '../../shared/messages.js';
import { readMetricList } from '../../shared/metric-list.js';
import type { PluginFormat } from '../../shared/plugin-format.js';
import {
  type BadMetric,
  type DocumentSettings,
  type EncodedMetrics,
  encodeMetrics,
  PointsEncoder,
} from '../../shared/points-document.js';
import type { Finding } from './formats/finding.js';
import { readInfluxLines } from './formats/influx-lines.js';
import { readNagiosOutput } from './formats/nagios-output.js';
import { readPrometheusLines } from './formats/prometheus-lines.js';

/** What a plugin's stdout came to. */
export interface PluginOutput {
  readonly metrics: EncodedMetrics;
  /** Why the output is not understood; undefined when it is. */
  readonly problem: string | undefined;
}

/** What a process has printed by its end. */
export interface PrintedOutput {
  readonly stdout: Buffer;
  /** Undefined when it did not exit by itself. */
  readonly exitCode: number | undefined;
}

/** A format that has a line, or a part of one, for each point. */
export type LineFormat = Exclude<PluginFormat, 'json'>;

const NO_METRICS: EncodedMetrics = { documents: [], points: 0, bad: [], badCount: 0 };
const EXCERPT_LENGTH = 80;
/** Stands in text for bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd';
const BYTE_ORDER_MARK = /^\ufeff/;
/** Why a last line without end is left out: of a number, there may be more to come. */
export const CUT_OFF = 'is cut off, as its process was ended';

/** Makes documents of the metrics that a plugin printed. A plugin that may print anything is always understood. */
export function readPluginOutput(
  printed: PrintedOutput,
  { anyOutput, format }: Pick<RunTask, 'anyOutput' | 'format'>,
  settings: DocumentSettings,
): PluginOutput {
  const output = format === 'json' ? readList(printed, settings) : readLines(format, printed, settings);
  const isOtherText = anyOutput && output.metrics.points === 0;
  return isOtherText ? { metrics: NO_METRICS, problem: undefined } : output;
}

/**
 * Reads text of a line format, point by point; a byte order mark in front of it is fine.
 * @param exitCode of a process that has ended; undefined while it goes on
 */
export function readFindings(
  format: LineFormat,
  printed: string,
  exitCode: number | undefined,
): Iterable<Finding> {
  const text = printed.replace(BYTE_ORDER_MARK, '');
  if (format === 'influx') return readInfluxLines(text);
  return format === 'nagios' ? readNagiosOutput(text, exitCode) : readPrometheusLines(text);
}

function readList({ stdout }: PrintedOutput, settings: DocumentSettings): PluginOutput {
  const read = readMetricList(stdout);
  if (read.type === 'no-list') {
    return { metrics: NO_METRICS, problem: `its output ${read.reason}${excerpt(stdout)}` };
  }
  return { metrics: encodeMetrics(read.list, settings, nowSeconds()), problem: undefined };
}

/** Not understood is only what has nothing but bad lines: in these formats, no metrics are no output. */
function readLines(
  format: LineFormat,
  { stdout, exitCode }: PrintedOutput,
  settings: DocumentSettings,
): PluginOutput {
  const encoder = new PointsEncoder(settings, nowSeconds());
  const isText = isUtf8(stdout);
  const { whole, cutLine } = cutOff(stdout.toString('utf8'), exitCode);
  for (const { line, sample, problem, mayBeGarbled } of readFindings(format, whole, exitCode)) {
    if (problem !== undefined) encoder.refuse(line, problem);
    else if (!isText && !mayBeGarbled && JSON.stringify(sample).includes(REPLACEMENT))
      encoder.refuse(line, 'is not UTF-8 text');
    else encoder.addSample(line, sample);
  }
  if (cutLine !== undefined) encoder.refuse(cutLine, CUT_OFF);
  const metrics = encoder.finish();
  const [first] = metrics.bad;
  if (first === undefined || metrics.points > 0) return { metrics, problem: undefined };
  return { metrics, problem: `its output has no point in the format "${format}"; ${linePlace(first)}` };
}

/** The lines that are whole, and the number of a last one that a process did not get to the end of. */
function cutOff(text: string, exitCode: number | undefined): { whole: string; cutLine?: number } {
  const end = text.lastIndexOf('\n') + 1;
  if (exitCode !== undefined || !/\S/.test(text.slice(end))) return { whole: text };
  let cutLine = 1;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) cutLine += 1;
  return { whole: text.slice(0, end), cutLine };
}

/** Names a bad line with its reason. */
export function linePlace({ index, reason }: BadMetric): string {
  return `line ${index}: ${reason}`;
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function excerpt(stdout: Buffer): string {
  if (stdout.length === 0) return '';
  const text = stdout.toString('utf8', 0, 4 * EXCERPT_LENGTH).trim();
  if (text === '') return '';
  const begin = text.slice(0, EXCERPT_LENGTH).replace(/\p{Cc}/gu, '.');
  return `; it begins with ${JSON.stringify(begin)}`;
}
