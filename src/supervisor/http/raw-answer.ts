import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { COMMON_HEADERS, failureBody } from './answer.js';
import { type ErrorCode, STATUS_OF_CODE } from './errors.js';

/** Answers on a connection whose request never got as far as a handler, and closes it. */
export function answerRaw(connection: Duplex, code: ErrorCode, message: string): void {
  if (!connection.writable) {
    connection.destroy();
    return;
  }
  const status = STATUS_OF_CODE[code];
  const body = `${JSON.stringify(failureBody({ code, message }))}\n`;
  const headers = { ...COMMON_HEADERS, 'Content-Length': Buffer.byteLength(body), Connection: 'close' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  connection.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`, () =>
    connection.destroy(),
  );
}

/** Answers what could not be read as HTTP, by the code of Node's error. */
export function answerUnreadable(connection: Duplex, errorCode: string | undefined): void {
  switch (errorCode) {
    case 'ECONNRESET':
    case 'EPIPE':
      connection.destroy();
      return;
    case 'HPE_HEADER_OVERFLOW':
      answerRaw(connection, 'headers-too-large', 'the address and headers of the request are too long');
      return;
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      answerRaw(connection, 'request-timeout', 'the request did not come whole in the time that it has');
      return;
    default:
      answerRaw(connection, 'bad-request', 'this is no HTTP request that can be read');
  }
}
