import { isUtf8 } from 'node:buffer';
import { reasonOf } from './coded-error.js';
import { printable } from './printable.js';

/** What a plugin printed or a client posted: a list whose elements may be anything, or no list at all. */
export type MetricList =
  | { readonly type: 'list'; readonly list: readonly unknown[] }
  | { readonly type: 'no-list'; readonly reason: string };

/** Reads UTF-8 text as a JSON list; a byte order mark and blanks around it are fine. Never throws. */
export function readMetricList(bytes: Uint8Array): MetricList {
  if (!isUtf8(bytes)) return noList('is not UTF-8 text');
  const text = withoutByteOrderMark(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (!/\S/.test(text)) return noList('is empty');
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed)
      ? { type: 'list', list: parsed }
      : noList(`is ${kindOf(parsed)}, not a list of metrics`);
  } catch (error) {
    return noList(`is not JSON: ${printable(reasonOf(error))}`);
  }
}

function noList(reason: string): MetricList {
  return { type: 'no-list', reason };
}

function withoutByteOrderMark(bytes: Buffer): string {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return bytes.toString('utf8', hasMark ? 3 : 0);
}

function kindOf(parsed: unknown): string {
  if (parsed === null) return 'null';
  return typeof parsed === 'object' ? 'one JSON object' : `a JSON ${typeof parsed}`;
}
