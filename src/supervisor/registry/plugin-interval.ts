import cron from 'node-cron';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import { quoted } from '../../shared/quoted.js';
import type { PluginInterval } from './plugin-definition.js';

const INTERVAL_MAX_SECONDS = 31 * 86_400;
const EXPRESSION_MAX_CHARACTERS = 200;

/**
 * Reads the registry's text for how often a plugin runs: whole seconds, `0` for on demand only, or a cron
 * expression of 5 fields (6 with seconds in front). Throws CodedError `interval`.
 */
export function parsePluginInterval(text: string): PluginInterval {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return parseSeconds(trimmed);
  const fields = trimmed.split(/ +/);
  if (fields.length !== 5 && fields.length !== 6) {
    throw refusal(text, 'is neither whole seconds nor a cron expression of 5 or 6 fields');
  }
  const expression = fields.join(' ');
  const problem = expressionProblem(expression);
  if (problem !== undefined) throw refusal(text, problem);
  return { kind: 'cron', expression };
}

function parseSeconds(digits: string): PluginInterval {
  const seconds = Number(digits);
  if (seconds === 0) return { kind: 'on-demand' };
  if (seconds > INTERVAL_MAX_SECONDS) {
    throw refusal(digits, `is more than ${INTERVAL_MAX_SECONDS} seconds (31 days)`);
  }
  return { kind: 'every', seconds };
}

/** Checking an expression takes about a millisecond, and thousands of plugins share a few expressions. */
const checked = new Map<string, string | undefined>();
const CHECKED_MAX = 1000;

function expressionProblem(expression: string): string | undefined {
  if (checked.has(expression)) return checked.get(expression);
  const problem = findExpressionProblem(expression);
  if (checked.size >= CHECKED_MAX) checked.clear();
  checked.set(expression, problem);
  return problem;
}

function findExpressionProblem(expression: string): string | undefined {
  if (expression.length > EXPRESSION_MAX_CHARACTERS) {
    return `is longer than ${EXPRESSION_MAX_CHARACTERS} characters`;
  }
  // The package spells a range out before it checks its bounds: 0-100000000 holds the thread for half a minute.
  if (/\d{3}/.test(expression)) return 'has a number of more than two digits in a cron expression';
  if (!cron.validate(expression)) return 'is no cron expression';
  const task = cron.createTask(expression, () => undefined);
  try {
    task.getNextRuns(1);
    return undefined;
  } catch (error) {
    return `is a cron expression that never comes due (${reasonOf(error)})`;
  } finally {
    void task.destroy();
  }
}

function refusal(text: string, reason: string): CodedError {
  return new CodedError('interval', `interval ${quoted(text, 80)} ${reason}`);
}
