import { counted } from '../../shared/counted.js';
import type { RunSpec, RunStatus } from '../../shared/messages.js';
import { signalNumber } from '../../shared/native/end-signal.js';
import type { PluginFormat } from '../../shared/plugin-format.js';
import type { BadMetric } from '../../shared/points-document.js';
import { isNagiosState } from './formats/nagios-output.js';
import { limitSentence } from './limits/limit-sentence.js';
import type { BoundsEnd } from './limits/run-bounds.js';
import { linePlace, type PluginOutput } from './plugin-output.js';
import type { ProcessEnd } from './process-run.js';

/** What is said about a run: the run metric's status and value, and a sentence. */
export interface RunVerdict {
  readonly status: RunStatus;
  readonly value: number;
  /** Undefined when there is nothing to complain of. */
  readonly problem: string | undefined;
}

const TIMEOUT_VALUE = 124;
const OUTPUT_VALUE = 65;
const SIGNAL_VALUE = 128;
const REASONS_SHOWN = 3;

/** Judges a run that took place. Where several things are wrong, the one that explains the others is named. */
export function verdictOf(
  task: RunSpec,
  end: ProcessEnd,
  output: PluginOutput,
  bounds: BoundsEnd,
): RunVerdict {
  const plugin = `plugin ${task.pluginName}`;
  if (end.endedBy === 'timeout') return timeoutVerdict(plugin, task, end);
  if (end.endedBy === 'output') {
    const problem = `${plugin} was ended because it printed more than ${task.maxOutputBytes} bytes`;
    return { status: 'output', value: OUTPUT_VALUE, problem };
  }
  const { signal, code } = end.exit ?? {};
  const limit = limitSentence(end, task, bounds);
  const why = limit === undefined ? '' : `: ${limit}`;
  if (signal !== undefined) {
    const value = SIGNAL_VALUE + signalNumber(signal);
    return { status: 'signal', value, problem: `${plugin} was ended by ${signal}${why}` };
  }
  const isAnswer = task.format === 'nagios' && isNagiosState(code);
  if (code !== undefined && code !== 0 && !isAnswer) {
    return { status: 'exit', value: code, problem: `${plugin} exited with code ${code}${why}` };
  }
  if (output.problem !== undefined) {
    return {
      status: 'output',
      value: OUTPUT_VALUE,
      problem: `${plugin} was not understood: ${output.problem}`,
    };
  }
  return { status: 'ok', value: 0, problem: badMetricsSentence(plugin, task.format, output) };
}

function timeoutVerdict(plugin: string, task: RunSpec, end: ProcessEnd): RunVerdict {
  const problem =
    end.exit === undefined
      ? `${plugin} took longer than ${task.timeoutMs} ms and not even SIGKILL ended it`
      : `${plugin} took longer than ${task.timeoutMs} ms and was ended`;
  return { status: 'timeout', value: TIMEOUT_VALUE, problem };
}

/** Says which metrics were left out; undefined when none was. */
export function badMetricsSentence(
  plugin: string,
  format: PluginFormat,
  { metrics }: PluginOutput,
): string | undefined {
  if (metrics.badCount === 0) return undefined;
  const shown = metrics.bad.slice(0, REASONS_SHOWN).map((bad) => badPlace(bad, format));
  const more = metrics.badCount > shown.length ? '; …' : '';
  const total = metrics.badCount + metrics.points;
  return `${plugin} printed ${counted(metrics.badCount, 'bad metric')} of ${total}, which ${metrics.badCount === 1 ? 'is' : 'are'} left out: ${shown.join('; ')}${more}`;
}

function badPlace(bad: BadMetric, format: PluginFormat): string {
  return format === 'json' ? `[${bad.index}] ${bad.reason}` : linePlace(bad);
}
