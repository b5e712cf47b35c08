import { constants } from 'node:os';
import type { RunStatus, RunTask } from '../../shared/messages.js';
import type { PluginOutput } from './plugin-output.js';
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
export function verdictOf(task: RunTask, end: ProcessEnd, output: PluginOutput): RunVerdict {
  const plugin = `plugin ${task.pluginName}`;
  if (end.endedBy === 'timeout') return timeoutVerdict(plugin, task, end);
  if (end.endedBy === 'output') {
    const problem = `${plugin} was ended because it printed more than ${task.maxOutputBytes} bytes`;
    return { status: 'output', value: OUTPUT_VALUE, problem };
  }
  const { signal, code } = end.exit ?? {};
  if (signal !== undefined) {
    const value = SIGNAL_VALUE + constants.signals[signal];
    return { status: 'signal', value, problem: `${plugin} was ended by ${signal}` };
  }
  if (code !== undefined && code !== 0) {
    return { status: 'exit', value: code, problem: `${plugin} exited with code ${code}` };
  }
  if (output.problem !== undefined) {
    return {
      status: 'output',
      value: OUTPUT_VALUE,
      problem: `${plugin} was not understood: ${output.problem}`,
    };
  }
  return { status: 'ok', value: 0, problem: badMetricsSentence(plugin, output) };
}

function timeoutVerdict(plugin: string, task: RunTask, end: ProcessEnd): RunVerdict {
  const problem =
    end.exit === undefined
      ? `${plugin} took longer than ${task.timeoutMs} ms and not even SIGKILL ended it`
      : `${plugin} took longer than ${task.timeoutMs} ms and was ended`;
  return { status: 'timeout', value: TIMEOUT_VALUE, problem };
}

/** Says which metrics of a list were left out; undefined when none was. */
export function badMetricsSentence(plugin: string, { metrics }: PluginOutput): string | undefined {
  if (metrics.badCount === 0) return undefined;
  const shown = metrics.bad.slice(0, REASONS_SHOWN).map(({ index, reason }) => `[${index}] ${reason}`);
  const more = metrics.badCount > shown.length ? '; …' : '';
  const total = metrics.badCount + metrics.points;
  return `${plugin} printed ${metrics.badCount} bad metrics of ${total}, which are left out: ${shown.join('; ')}${more}`;
}
