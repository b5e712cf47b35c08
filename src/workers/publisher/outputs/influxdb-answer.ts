import { printable } from '../../../shared/printable.js';

/** What a server's answer to a write request, or the lack of one, means for the points. */
export type WriteVerdict =
  | { readonly kind: 'written' }
  /** The points are at fault. `isPartial`: those that are not were written. */
  | { readonly kind: 'refused'; readonly reason: string; readonly isPartial: boolean }
  /** Fewer points at once may be taken. */
  | { readonly kind: 'too-large'; readonly reason: string }
  | WriteFailure;

/** Nothing is wrong with the points as far as one knows: they are to be sent again. */
export interface WriteFailure {
  readonly kind: 'failed';
  readonly reason: string;
  /** Whether others can be written to the same server. */
  readonly scope: 'server' | 'database';
  /**
   * `no-answer`: the connection broke or the time ran out on the way, which less text at once may avoid. `broke-down`:
   * the server failed in the midst of it without knowing why, which may have to do with the points. `other`: neither.
   */
  readonly cause: 'no-answer' | 'broke-down' | 'other';
  /** What the server asks to wait; undefined when it does not say. */
  readonly retryAfterMs: number | undefined;
}

/** An answer to a write request. Only the beginning of a long body may be there. */
export interface WriteAnswer {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

const RETRY_AFTER_MAX_MS = 60_000;
const REASON_LENGTH_MAX = 500;

/** How InfluxDB begins what it says of a request whose points it has not looked at. */
const NOT_ABOUT_POINTS =
  /^(invalid (character in )?)?(database|db|bucket|organi[sz]ation|org|retention policy|precision)\b/i;

/** @param nowMs unix time, for a `Retry-After` that names a date */
export function verdictOf(answer: WriteAnswer, nowMs: number): WriteVerdict {
  const { status } = answer;
  const said = sayingOf(answer);
  if (status >= 200 && status < 300) return said.isForeign ? foreign(status) : { kind: 'written' };
  const reason = said.text === '' ? `status ${status}` : `${said.text} (status ${status})`;
  if (status === 413) return { kind: 'too-large', reason };
  if (status === 400 || status === 422) {
    if (said.isForeign) return foreign(status);
    if (NOT_ABOUT_POINTS.test(said.text)) return failed(reason, 'database');
    return { kind: 'refused', reason, isPartial: /partial write/i.test(said.text) };
  }
  if (status === 401) return failed(`${reason}; check its token, or user and password`, 'server');
  if (status === 403) return failed(`${reason}; it needs the right to write there`, 'database');
  if (status === 404 && NOT_ABOUT_POINTS.test(said.text)) {
    return failed(`${reason}; its points wait until somebody creates it`, 'database');
  }
  if (status === 404) return failed(`${reason}; check url and version`, 'server');
  const retryAfterMs = retryAfter(answer, nowMs);
  const scope = NOT_ABOUT_POINTS.test(said.text) ? 'database' : 'server';
  const cause = status === 500 && !said.isSentence ? 'broke-down' : 'other';
  return { kind: 'failed', reason, scope, cause, retryAfterMs };
}

function failed(reason: string, scope: WriteFailure['scope']): WriteFailure {
  return { kind: 'failed', reason, scope, cause: 'other', retryAfterMs: undefined };
}

function foreign(status: number): WriteFailure {
  return failed(`what answers there (status ${status}) is not InfluxDB; check url and version`, 'server');
}

interface Saying {
  readonly text: string;
  /** InfluxDB knows what is wrong, and says it in its own form. */
  readonly isSentence: boolean;
  /** Nothing in the answer is InfluxDB's: something else listens there, or stands in between. */
  readonly isForeign: boolean;
}

function sayingOf({ headers, body, status }: WriteAnswer): Saying {
  const text = textOf(body) ?? header(headers, 'x-influxdb-error');
  if (text !== undefined) return { text: shown(text), isSentence: true, isForeign: false };
  const isHtml = /^\s*</.test(body) || (header(headers, 'content-type') ?? '').includes('html');
  // A write that worked has no body, and a proxy may have taken the server's own headers away.
  const isForeign = status < 300 ? isHtml : header(headers, 'x-influxdb-version') === undefined;
  return { text: isHtml ? '' : shown(body), isSentence: false, isForeign };
}

/** The sentence in the body of an error: versions 1 and 3 call it `error`, version 2 `message`. */
function textOf(body: string): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { error, message, data } = parsed as Readonly<Record<string, unknown>>;
  const text = typeof error === 'string' ? error : message;
  if (typeof text !== 'string') return undefined;
  const [first] = Array.isArray(data) ? data : [data];
  const detail = (first as { readonly error_message?: unknown } | null | undefined)?.error_message;
  return typeof detail === 'string' ? `${text}: ${detail}` : text;
}

function shown(text: string): string {
  const line = printable(text.trim());
  return line.length > REASON_LENGTH_MAX ? `${line.slice(0, REASON_LENGTH_MAX)}…` : line;
}

function retryAfter({ headers }: WriteAnswer, nowMs: number): number | undefined {
  const text = header(headers, 'retry-after')?.trim();
  if (!text) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS);
}

function header(headers: WriteAnswer['headers'], name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
