import { quoted } from '../../../shared/quoted.js';
import {
  decimalNumber,
  emptyRecord,
  type Finding,
  LINE_LENGTH_MAX,
  numberedLines,
  type Reading,
} from './finding.js';

const SHOWN_MAX = 40;
const METRIC_NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL_NAME = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const BLANKS = /[ \t]*/y;
const WORD = /[^ \t]+/y;
const BEFORE_VALUE = /[ \t}]/;
const ESCAPE = /\\([\\"n])/g;
const NO_NUMBER = /^(?:nan|[+-]?inf(?:inity)?)$/i;
const MILLISECONDS = 1000;
/** From here on a timestamp counts milliseconds. */
const SECONDS_MAX = 1e10;

/** A line and the place in it up to which it is read. */
interface Cursor {
  readonly text: string;
  at: number;
}

interface Series {
  readonly name: string;
  readonly labels: Record<string, string>;
}

/**
 * Reads Prometheus' text format, and what OpenMetrics adds to it: `name{label="value",…} value [timestamp]`. Every
 * sample is one as it stands, those of a histogram or summary too. Comments, HELP, TYPE, UNIT and EOF say nothing
 * that a point holds, nor do exemplars. Timestamps are in milliseconds, those of OpenMetrics in seconds: no moment of
 * our age is the same number in both.
 */
export function* readPrometheusLines(output: string): Generator<Finding> {
  for (const { line, text } of numberedLines(output)) {
    const cursor: Cursor = { text, at: 0 };
    take(cursor, BLANKS);
    if (cursor.at === text.length || text[cursor.at] === '#') continue;
    if (text.length > LINE_LENGTH_MAX)
      yield { line, problem: `is longer than ${LINE_LENGTH_MAX} characters` };
    else yield { line, ...readSample(cursor) };
  }
}

function readSample(cursor: Cursor): Reading {
  const series = readSeries(cursor);
  if (typeof series === 'string') return { problem: series };
  take(cursor, BLANKS);
  const isApart = BEFORE_VALUE.test(cursor.text.charAt(cursor.at - 1));
  const valueText = take(cursor, WORD);
  if (valueText === undefined) return { problem: `${shown(series.name)} has no value` };
  if (!isApart) return { problem: `${shown(series.name + valueText)} is no name of a metric` };
  const value = decimalNumber(valueText);
  if (value === undefined) {
    const what = NO_NUMBER.test(valueText) ? 'which no point can hold' : 'which is no number';
    return { problem: `the value of ${shown(series.name)} is ${shown(valueText)}, ${what}` };
  }
  take(cursor, BLANKS);
  const timestampText = cursor.text[cursor.at] === '#' ? undefined : take(cursor, WORD);
  const timestamp = timestampText === undefined ? 0 : decimalNumber(timestampText);
  if (timestamp === undefined) {
    return { problem: `the timestamp of ${shown(series.name)} is ${shown(timestampText ?? '')}, no number` };
  }
  take(cursor, BLANKS);
  if (cursor.at < cursor.text.length && cursor.text[cursor.at] !== '#') {
    return { problem: `${shown(cursor.text.slice(cursor.at))} stands behind the sample` };
  }
  const fields = emptyRecord<number>();
  fields.value = value;
  return { sample: { name: series.name, tags: series.labels, fields, seconds: unixSeconds(timestamp) } };
}

function unixSeconds(timestamp: number): number {
  return Math.floor(timestamp >= SECONDS_MAX ? timestamp / MILLISECONDS : timestamp);
}

/** Name and labels; a text is the reason why there are none. */
function readSeries(cursor: Cursor): Series | string {
  const name = take(cursor, METRIC_NAME);
  take(cursor, BLANKS);
  const labels = emptyRecord<string>();
  if (cursor.text[cursor.at] !== '{') {
    return name === undefined ? `${shown(cursor.text)} begins with no name` : { name, labels };
  }
  cursor.at += 1;
  let quotedName: string | undefined;
  for (;;) {
    take(cursor, BLANKS);
    if (cursor.text[cursor.at] === '}') break;
    const isQuoted = cursor.text[cursor.at] === '"';
    const key = isQuoted ? takeQuoted(cursor) : take(cursor, LABEL_NAME);
    if (key === undefined) return 'its labels are no list of names with values in double quotes';
    take(cursor, BLANKS);
    if (cursor.text[cursor.at] === '=') {
      const problem = readLabelValue(cursor, key, labels);
      if (problem !== undefined) return problem;
    } else if (isQuoted && name === undefined && quotedName === undefined) quotedName = key;
    else return `label ${shown(key)} has no value`;
    take(cursor, BLANKS);
    if (cursor.text[cursor.at] === ',') cursor.at += 1;
    else if (cursor.text[cursor.at] !== '}') return 'its labels have no end';
  }
  cursor.at += 1;
  const either = name ?? quotedName;
  return either === undefined ? `${shown(cursor.text)} begins with no name` : { name: either, labels };
}

function readLabelValue(cursor: Cursor, key: string, labels: Record<string, string>): string | undefined {
  cursor.at += 1;
  take(cursor, BLANKS);
  const value = takeQuoted(cursor);
  if (value === undefined) return `the value of label ${shown(key)} is no text in double quotes`;
  if (key in labels) return `label ${shown(key)} is there twice`;
  labels[key] = value;
  return undefined;
}

function takeQuoted(cursor: Cursor): string | undefined {
  const text = take(cursor, QUOTED);
  if (text === undefined || !text.includes('\\')) return text?.slice(1, -1);
  return text.slice(1, -1).replace(ESCAPE, (_, character: string) => (character === 'n' ? '\n' : character));
}

/** What the expression matches right at the cursor, which moves behind it. */
function take(cursor: Cursor, expression: RegExp): string | undefined {
  expression.lastIndex = cursor.at;
  const found = expression.exec(cursor.text)?.[0];
  if (found !== undefined) cursor.at += found.length;
  return found;
}

function shown(text: string): string {
  return quoted(text, SHOWN_MAX);
}
