import type { Sample } from '../../../shared/points-document.js';

/** What a reader of a format makes of a piece of output: a sample, or the reason why it is none. */
export type Reading =
  | {
      readonly sample: Sample;
      readonly problem?: undefined;
      /** It goes out even where its text has bytes that are no UTF-8: they are for people to read. */
      readonly mayBeGarbled?: boolean;
    }
  | { readonly sample?: undefined; readonly problem: string; readonly mayBeGarbled?: undefined };

/** The same with the number of its line, from 1. */
export type Finding = Reading & { readonly line: number };

/** A longer line is none of a metric: no point of it would fit a message. Bounds what expressions work on, too. */
export const LINE_LENGTH_MAX = 256 * 1024;

/** An object for keys of any name, `__proto__` among them. */
export function emptyRecord<T>(): Record<string, T> {
  return Object.create(null);
}

const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const DECIMAL_LENGTH_MAX = 400;

/** A decimal number as text, with or without an exponent; undefined for anything else, also for what is too large. */
export function decimalNumber(text: string): number | undefined {
  if (text.length > DECIMAL_LENGTH_MAX || !DECIMAL.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** The lines of a text with their numbers, from 1, without what ends them. */
export function* numberedLines(text: string): Generator<{ readonly line: number; readonly text: string }> {
  let start = 0;
  for (let line = 1; start < text.length; line += 1) {
    const found = text.indexOf('\n', start);
    const end = found === -1 ? text.length : found;
    yield { line, text: text.slice(start, text[end - 1] === '\r' ? end - 1 : end) };
    start = end + 1;
  }
}
