import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Failure } from './errors.js';

/** An unread rest of a request up to this many bytes is read and forgotten, so that its connection lives on. */
const REST_BYTES_MAX = 64 * 1024;

/** How long, and for how many bytes, a client that is still sending may go on, so that it sees the answer. */
const LINGER_MS = 2_000;
const LINGER_BYTES_MAX = 64 * 1024 * 1024;

/** A client that takes nothing of its answer for this long is cut off. */
const STUCK_READER_MS = 30_000;

/** Stand on every answer that says nothing else: it is JSON, nothing else, and of this moment. */
export const COMMON_HEADERS = {
  'Content-Type': 'application/json; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
} as const;

/** Answers with `body` as JSON; nothing happens when the client is gone. */
export function sendJson(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: object,
  headers?: Readonly<Record<string, string>>,
): void {
  sendText(request, response, status, `${JSON.stringify(body)}\n`, headers);
}

/** Answers that a request failed. */
export function sendFailure(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  failure: Failure,
  headers?: Readonly<Record<string, string>>,
): void {
  sendJson(request, response, status, failureBody(failure), headers);
}

/** The body of an answer that is not ok. */
export function failureBody(failure: Failure): object {
  return { ok: false, error: failure };
}

/** Answers with a text that is JSON already, or whatever a `Content-Type` among the headers says. */
export function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  headers?: Readonly<Record<string, string>>,
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const all: Record<string, string | number> = {
    ...COMMON_HEADERS,
    'Content-Length': Buffer.byteLength(text),
    ...headers,
  };
  const isUnread = isSendingMuch(request);
  if (isUnread) all.Connection = 'close';
  response.writeHead(status, all);
  if (isUnread && !waitsForContinue(request)) {
    lingerAfter(request, response, text);
    return;
  }
  response.end(text);
  const socket = response.socket;
  if (socket !== null && socket.writableLength > 0) socket.setTimeout(STUCK_READER_MS);
}

/** True while the client may send more than is worth reading for nothing. */
function isSendingMuch(request: IncomingMessage): boolean {
  if (request.complete) return false;
  if (request.headers['transfer-encoding'] !== undefined) return true;
  return Number(request.headers['content-length'] ?? 0) > REST_BYTES_MAX;
}

/** True for a client that sends its body only when told to, and was not. */
function waitsForContinue(request: IncomingMessage): boolean {
  return request.headers.expect !== undefined && !request.readableDidRead;
}

/**
 * Sends the whole answer at once and closes the connection only when the client stops sending: closing with unread
 * data would reset the connection, and the client would see that in place of the answer.
 */
function lingerAfter(request: IncomingMessage, response: ServerResponse, text: string): void {
  let bytes = 0;
  const finish = () => {
    clearTimeout(timer);
    request.off('data', count);
    if (!response.writableEnded) response.end();
  };
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LINGER_BYTES_MAX) finish();
  };
  const timer = setTimeout(finish, LINGER_MS);
  response.write(text);
  request.on('data', count).once('end', finish).once('close', finish).resume();
}
