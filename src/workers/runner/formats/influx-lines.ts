import type { FieldValue } from '../../../shared/points-document.js';
import { quoted } from '../../../shared/quoted.js';
import { decimalNumber, emptyRecord, type Finding, type Reading } from './finding.js';

const SHOWN_MAX = 40;
const TIMESTAMP = /^-?\d{1,19}$/;
const NANOSECOND_DIGITS = 9;
const INTEGER = /^[+-]?\d{1,19}i$/;
const UNSIGNED = /^\d{1,20}u$/;
const INTEGER_MIN = -(2n ** 63n);
const INTEGER_MAX = 2n ** 63n - 1n;
const UNSIGNED_MAX = 2n ** 64n - 1n;

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['t', 'T', 'true', 'True', 'TRUE'].map((text) => [text, true] as const),
  ...['f', 'F', 'false', 'False', 'FALSE'].map((text) => [text, false] as const),
]);

/** A text and the place in it up to which it is read. */
interface Cursor {
  readonly text: string;
  at: number;
}

/** What a part of a line came to; a text is the reason why the line is none. */
type Problem = string | undefined;

/**
 * Reads InfluxDB's line protocol: `measurement[,tag=value…] field=value[,…] [nanoseconds]`. A string field may go over
 * several lines; where such a one goes wrong, reading goes on behind its first line.
 */
export function* readInfluxLines(output: string): Generator<Finding> {
  const text = output.includes('\r') ? output.replaceAll('\r\n', '\n') : output;
  const cursor: Cursor = { text, at: 0 };
  for (let line = 1, start = 0; start < text.length; ) {
    cursor.at = start;
    const found = readPoint(cursor);
    if (found !== undefined) yield { line, ...found };
    const end = found?.problem === undefined ? cursor.at : lineEnd(text, start);
    for (; start <= end; line += 1) start = lineEnd(text, start) + 1;
  }
}

/** Undefined for a line without a point: an empty one, or a comment. */
function readPoint(cursor: Cursor): Reading | undefined {
  takeBlanks(cursor);
  if (isAtEnd(cursor)) return undefined;
  if (cursor.text[cursor.at] === '#') {
    cursor.at = lineEnd(cursor.text, cursor.at);
    return undefined;
  }
  const name = takeToken(cursor, ', ', ', ');
  if (name === '') return { problem: 'its measurement is missing' };
  const tags = emptyRecord<string>();
  while (takeOne(cursor, ',')) {
    const problem = readTag(cursor, tags);
    if (problem !== undefined) return { problem };
  }
  if (!takeBlanks(cursor) || isAtEnd(cursor)) return { problem: 'its fields are missing' };
  const fields = emptyRecord<FieldValue>();
  do {
    const problem = readField(cursor, fields);
    if (problem !== undefined) return { problem };
  } while (takeOne(cursor, ','));
  const isBlankBehind = takeBlanks(cursor);
  if (isAtEnd(cursor)) return { sample: { name, tags, fields } };
  if (!isBlankBehind) return { problem: `${shown(restOf(cursor))} stands behind its fields` };
  const timestamp = restOf(cursor).trimEnd();
  if (!TIMESTAMP.test(timestamp)) {
    return { problem: `its timestamp ${shown(timestamp)} is no whole number of nanoseconds` };
  }
  cursor.at = lineEnd(cursor.text, cursor.at);
  return { sample: { name, tags, fields, seconds: Number(timestamp.slice(0, -NANOSECOND_DIGITS)) } };
}

function readTag(cursor: Cursor, tags: Record<string, string>): Problem {
  const key = takeToken(cursor, ',= ', ',= ');
  if (key === '') return 'a tag has no key';
  if (!takeOne(cursor, '=')) return `tag ${shown(key)} has no value`;
  const value = takeToken(cursor, ',= ', ',= ');
  if (value === '') return `tag ${shown(key)} has no value`;
  if (cursor.text[cursor.at] === '=') return `tag ${shown(key)} has an "=" in its value that is not escaped`;
  if (key in tags) return `tag ${shown(key)} is there twice`;
  tags[key] = value;
  return undefined;
}

function readField(cursor: Cursor, fields: Record<string, FieldValue>): Problem {
  const key = takeToken(cursor, ',= ', ',= ');
  if (key === '') return 'a field has no key';
  if (!takeOne(cursor, '=')) return `field ${shown(key)} has no value`;
  if (key in fields) return `field ${shown(key)} is there twice`;
  if (takeOne(cursor, '"')) {
    const text = takeQuoted(cursor);
    if (text === undefined) return `the text of field ${shown(key)} has no end`;
    fields[key] = text;
    return undefined;
  }
  const text = takeToken(cursor, ', ', '');
  const value = fieldValue(text);
  if (value === undefined) {
    return `field ${shown(key)} is ${shown(text)}, no number, boolean or text in double quotes`;
  }
  fields[key] = value;
  return undefined;
}

function fieldValue(text: string): FieldValue | undefined {
  const isInteger = INTEGER.test(text);
  if (!isInteger && !UNSIGNED.test(text)) return BOOLEANS.get(text) ?? decimalNumber(text);
  const digits = text.slice(0, -1);
  const value = Number(digits);
  if (Number.isSafeInteger(value)) return value;
  const exact = BigInt(digits);
  const isHeld = isInteger ? exact >= INTEGER_MIN && exact <= INTEGER_MAX : exact <= UNSIGNED_MAX;
  return isHeld ? exact : undefined;
}

/** Text up to one of `stops` or the end of the line; a backslash takes its meaning from each of `escapable`. */
function takeToken(cursor: Cursor, stops: string, escapable: string): string {
  const { text } = cursor;
  let token = '';
  let start = cursor.at;
  let at = start;
  for (; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '\n' || stops.includes(character)) break;
    if (character === '\\' && at + 1 < text.length && escapable.includes(text.charAt(at + 1))) {
      token += text.slice(start, at);
      at += 1;
      start = at;
    }
  }
  cursor.at = at;
  return token + text.slice(start, at);
}

/** A text whose opening quote is taken, over lines where need be; undefined when it is never closed. */
function takeQuoted(cursor: Cursor): string | undefined {
  const { text } = cursor;
  let taken = '';
  let start = cursor.at;
  for (let at = start; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '"') {
      cursor.at = at + 1;
      return taken + text.slice(start, at);
    }
    if (character !== '\\') continue;
    const next = text.charAt(at + 1);
    if (next !== '"' && next !== '\\') continue;
    taken += text.slice(start, at);
    at += 1;
    start = at;
  }
  return undefined;
}

function takeOne(cursor: Cursor, character: string): boolean {
  if (cursor.text[cursor.at] !== character) return false;
  cursor.at += 1;
  return true;
}

function takeBlanks(cursor: Cursor): boolean {
  const start = cursor.at;
  while (cursor.text[cursor.at] === ' ') cursor.at += 1;
  return cursor.at > start;
}

function isAtEnd({ text, at }: Cursor): boolean {
  return at >= text.length || text[at] === '\n';
}

function restOf({ text, at }: Cursor): string {
  return text.slice(at, lineEnd(text, at));
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}

function shown(text: string): string {
  return quoted(text, SHOWN_MAX);
}
