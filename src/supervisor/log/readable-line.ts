import type { LogFields, LogLevel } from '../../shared/log.js';
import { printable } from '../../shared/printable.js';
import { boundedText } from './bounded-fields.js';

/** How a line for people looks. */
export interface LineStyle {
  readonly color: boolean;
}

/** True when escape sequences for colours are understood and wanted on stderr. */
export function wantsColor(isTerminal: boolean, environment: NodeJS.ProcessEnv): boolean {
  return isTerminal && (environment.NO_COLOR ?? '') === '' && environment.TERM !== 'dumb';
}

/** One line for people: time, level, sentence, then the fields as `key=value`. Without a newline. */
export function readableLine(
  time: Date,
  level: LogLevel,
  fields: LogFields,
  message: string,
  { color }: LineStyle,
): string {
  const name = LEVEL_NAMES[level].padEnd(LEVEL_WIDTH);
  const shownLevel = color ? `${LEVEL_COLORS[level]}${name}${RESET}` : name;
  const pairs = Object.entries(fields).map(([key, value]) => ` ${printable(key)}=${shownField(value)}`);
  const shownPairs = color && pairs.length > 0 ? `${DIM}${pairs.join('')}${RESET}` : pairs.join('');
  return `${time.toISOString()} ${shownLevel} ${printable(message)}${shownPairs}`;
}

const LEVEL_NAMES: Readonly<Record<LogLevel, string>> = {
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'FATAL',
};
const LEVEL_WIDTH = 7;

const RESET = '\u001b[0m';
const DIM = '\u001b[2m';
const LEVEL_COLORS: Readonly<Record<LogLevel, string>> = {
  debug: DIM,
  info: '\u001b[32m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
  fatal: '\u001b[1;31m',
};

/** The log file has the whole value. */
const FIELD_LENGTH_MAX = 2_000;

function shownField(value: unknown): string {
  const text =
    typeof value === 'string' && /^[^\s"'=]+$/.test(value) ? value : (JSON.stringify(value) ?? String(value));
  return printable(boundedText(text, FIELD_LENGTH_MAX));
}
