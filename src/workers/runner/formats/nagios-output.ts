import type { FieldValue, Sample } from '../../../shared/points-document.js';
import { quoted } from '../../../shared/quoted.js';
import { decimalNumber, emptyRecord, type Finding, LINE_LENGTH_MAX, numberedLines } from './finding.js';

/** Exit codes that say how the service is, by their names. */
const STATES = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const;

const SHOWN_MAX = 40;
const TEXT_MAX = 1000;
const BLANKS = /[ \t]*/y;
const LABEL = /'((?:[^']|'')*)'=|([^\s'=]+)=/y;
const WORD = /[^ \t]+/y;
/** Nagios' own documentation has `percent_packet_loss=0, rta=0.80`. */
const SEPARATOR = /,$/;
const VALUE = /^([-+.\d]+(?:[eE][-+]?\d+)?)([^-+.\d;'"]*)$/;
const RANGE = /^(@?)(?:(~|[-+.\deE]*):)?([-+.\deE]*)$/;
const ITEM_LENGTH_MAX = 1000;
/** warn, crit, min and max. */
const PARTS_BEHIND_VALUE = 4;

/** Whether an exit code is an answer of a plugin of that kind, and not a failure of its run. */
export function isNagiosState(exitCode: number | undefined): exitCode is 0 | 1 | 2 | 3 {
  return exitCode !== undefined && exitCode >= 0 && exitCode < STATES.length;
}

/**
 * Reads what a plugin for Nagios prints, by the Monitoring Plugins guidelines: `text | performance data`, further lines
 * of text, and from the next `|` on performance data again. The state comes as a sample of the name `state`.
 * @param exitCode undefined where there is none, as with a line of a stream: no state then
 */
export function* readNagiosOutput(output: string, exitCode: number | undefined): Generator<Finding> {
  let isText = true;
  for (const { line, text } of numberedLines(output)) {
    if (line === 1 && isNagiosState(exitCode)) {
      yield { line, sample: stateSample(exitCode, text), mayBeGarbled: true };
    }
    const bar = isText ? text.indexOf('|') : -1;
    const isData = !isText || bar !== -1;
    if (isData && text.length > LINE_LENGTH_MAX) {
      yield { line, problem: `is longer than ${LINE_LENGTH_MAX} characters` };
    } else if (bar !== -1) {
      yield* readPerformanceData(text.slice(bar + 1), line);
      // The bar of the first line ends with it, that of a later one holds up to the end.
      isText = line === 1;
    } else if (!isText) yield* readPerformanceData(text, line);
  }
  if (output === '' && isNagiosState(exitCode)) yield { line: 1, sample: stateSample(exitCode, '') };
}

function stateSample(exitCode: 0 | 1 | 2 | 3, firstLine: string): Sample {
  const fields = emptyRecord<FieldValue>();
  fields.value = exitCode;
  fields.state = STATES[exitCode];
  const text = firstLine.replace(/\|.*/, '').trim().slice(0, TEXT_MAX);
  if (text !== '') fields.output = text;
  return { name: 'state', tags: {}, fields };
}

/** Items `'label'=value[unit];[warn];[crit];[min];[max]`, blanks between them, and from some plugins commas. */
function* readPerformanceData(text: string, line: number): Generator<Finding> {
  const end = text.trimEnd().length;
  for (let at = lengthAt(BLANKS, text, 0); at < end; at += lengthAt(BLANKS, text, at)) {
    LABEL.lastIndex = at;
    const found = LABEL.exec(text);
    if (found === null) {
      const length = lengthAt(WORD, text, at);
      yield { line, problem: `${quoted(text.slice(at, at + length), SHOWN_MAX)} is no label=value` };
      at += length;
      continue;
    }
    const [labelText, quotedLabel, plainLabel = ''] = found;
    const label = quotedLabel?.replaceAll("''", "'") ?? plainLabel;
    at += labelText.length;
    const length = lengthAt(WORD, text, at);
    const sample = performanceSample(label, text.slice(at, at + length).replace(SEPARATOR, ''));
    if (typeof sample === 'string') yield { line, problem: `${quoted(label, SHOWN_MAX)} ${sample}` };
    else if (sample !== undefined) yield { line, sample };
    at += length;
  }
}

/** A text is the reason why it is none; undefined: the plugin says that it does not know the value. */
function performanceSample(label: string, item: string): Sample | string | undefined {
  if (item.length > ITEM_LENGTH_MAX) return `is longer than ${ITEM_LENGTH_MAX} characters`;
  const [valueText = '', ...more] = item.split(';');
  if (valueText === 'U') return undefined;
  const [, digits = '', unit = ''] = VALUE.exec(valueText) ?? [];
  const value = decimalNumber(digits);
  if (value === undefined) return `is ${quoted(valueText, SHOWN_MAX)}, no number with a unit`;
  if (more.slice(PARTS_BEHIND_VALUE).some((part) => part !== '')) {
    return 'has more than warn, crit, min and max behind its value';
  }
  const fields = emptyRecord<FieldValue>();
  fields.value = value;
  const [warn = '', crit = '', min = '', max = ''] = more;
  const problem =
    addRange(fields, 'warn', warn) ??
    addRange(fields, 'crit', crit) ??
    addBound(fields, 'min', min) ??
    addBound(fields, 'max', max);
  if (problem !== undefined) return problem;
  const tags = emptyRecord<string>();
  if (unit !== '') tags.unit = unit;
  return { name: label, tags, fields };
}

function addBound(fields: Record<string, FieldValue>, name: string, text: string): string | undefined {
  if (text === '') return undefined;
  const value = decimalNumber(text);
  if (value === undefined) return `has ${quoted(text, SHOWN_MAX)} for ${name}, no number`;
  fields[name] = value;
  return undefined;
}

/**
 * A plain number comes out as one (`warn`), a range by its ends (`warn_lower`, `warn_upper`; an infinite end is left
 * out), and `warn_inside` where `@` turns it round.
 */
function addRange(fields: Record<string, FieldValue>, name: string, text: string): string | undefined {
  if (text === '' || decimalNumber(text) !== undefined) return addBound(fields, name, text);
  const [, at, lowerText, upperText = ''] = RANGE.exec(text) ?? [];
  const lower = lowerText === '~' ? Number.NEGATIVE_INFINITY : decimalNumber(lowerText || '0');
  const upper = upperText === '' ? Number.POSITIVE_INFINITY : decimalNumber(upperText);
  if (at === undefined || lower === undefined || upper === undefined || lower > upper || isNoRange(text)) {
    return `has ${quoted(text, SHOWN_MAX)} for ${name}, no range`;
  }
  if (Number.isFinite(lower)) fields[`${name}_lower`] = lower;
  if (Number.isFinite(upper)) fields[`${name}_upper`] = upper;
  if (at === '@') fields[`${name}_inside`] = true;
  return undefined;
}

function isNoRange(text: string): boolean {
  return text === '@' || text === ':' || text === '@:';
}

function lengthAt(expression: RegExp, text: string, at: number): number {
  expression.lastIndex = at;
  return expression.exec(text)?.[0].length ?? 0;
}
