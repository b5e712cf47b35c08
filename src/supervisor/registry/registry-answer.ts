import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import { quoted } from '../../shared/quoted.js';
import { withoutCredentials } from '../log/credentials.js';

/** What stands before an answer's body. Header values are empty where there are none. */
export interface AnswerHead {
  readonly status: number;
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly location: string;
}

/** The text of an answer, decompressed within the bound. Throws CodedError `registry`. */
export async function decodeAnswer(
  place: string,
  head: AnswerHead,
  bytes: Buffer,
  maxBytes: number,
): Promise<string> {
  const plain = await decompress(place, head, bytes, maxBytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(plain);
  } catch {
    throw failure(place, head, 'is no proper UTF-8');
  }
}

/**
 * The `data` of an answer. Both the status of HTTP and the one in the body must be 200: everything else is an
 * error, never an empty answer. Throws CodedError `registry`.
 */
export function answerData(place: string, head: AnswerHead, text: string): unknown {
  if (head.status >= 300 && head.status < 400) {
    const target = JSON.stringify(withoutCredentials(head.location));
    throw new CodedError(
      'registry',
      `${place} redirects to ${target}; put the final address into [agent] registryaddr`,
    );
  }
  const answer = parseObject(place, head, text);
  const status = answer.httpstatus;
  if (head.status !== 200 || (status !== undefined && Number(status) !== 200)) {
    const inBody =
      head.status === 200 ? `status ${JSON.stringify(status)} in its body` : `HTTP ${head.status}`;
    const message =
      typeof answer.msg === 'string' && answer.msg !== ''
        ? `: ${quoted(answer.msg, EXCERPT_CHARACTERS)}`
        : '';
    throw new CodedError('registry', `${place} answers ${inBody}${message}`);
  }
  return answer.data;
}

/** Of a foreign text, in a log line. */
const EXCERPT_CHARACTERS = 120;
const gunzipBuffer = promisify(gunzip);

async function decompress(place: string, head: AnswerHead, bytes: Buffer, maxBytes: number): Promise<Buffer> {
  const encoding = head.contentEncoding.toLowerCase();
  if (encoding === '' || encoding === 'identity') return bytes;
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw failure(
      place,
      head,
      `is compressed as ${quoted(encoding, EXCERPT_CHARACTERS)}, which was not asked for`,
    );
  }
  try {
    return await gunzipBuffer(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if (codeOf(error) === 'ERR_BUFFER_TOO_LARGE') {
      throw failure(place, head, `is more than the ${maxBytes} bytes that are taken, once decompressed`);
    }
    throw failure(place, head, `cannot be decompressed: ${reasonOf(error)}`);
  }
}

function parseObject(place: string, head: AnswerHead, text: string): Record<string, unknown> {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    if (text === '') throw failure(place, head, 'is empty');
    const kind = head.contentType === '' ? '' : ` but ${quoted(head.contentType, EXCERPT_CHARACTERS)}`;
    throw failure(place, head, `is not JSON${kind} and begins with ${quoted(text, EXCERPT_CHARACTERS)}`);
  }
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
    throw failure(place, head, `is no JSON object with "data" in it but ${quoted(text, EXCERPT_CHARACTERS)}`);
  }
  return { ...answer };
}

function failure(place: string, head: AnswerHead, what: string): CodedError {
  return new CodedError('registry', `the answer (HTTP ${head.status}) of ${place} ${what}`);
}
