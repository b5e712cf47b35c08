import { rootCertificates } from 'node:tls';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { Agent, type Dispatcher, request } from 'undici';
import { codeOf, reasonOf, rootErrorOf } from '../../../shared/coded-error.js';
import type { InfluxdbOutputSettings } from '../../../shared/output-settings.js';
import { printable } from '../../../shared/printable.js';
import { verdictOf, type WriteFailure, type WriteVerdict } from './influxdb-answer.js';

const compress = promisify(gzip);

/** More of an answer is not read; a refusal of thousands of points names them all. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** Version 1 has the sentence of an error in a header too. */
const HEADER_BYTES_MAX = 64 * 1024;

/** Sends write requests to the endpoint of one InfluxDB, over connections that are kept. */
export class InfluxdbClient {
  /** Where it writes to, for people: without credentials. */
  readonly address: string;
  readonly #settings: InfluxdbOutputSettings;
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: Agent;

  /** @param connections open at once, at most */
  constructor(settings: InfluxdbOutputSettings, connections: number) {
    const url = new URL(settings.url);
    this.#settings = settings;
    this.#base = url.origin + url.pathname.replace(/\/+$/, '');
    this.address = this.#base;
    this.#headers = requestHeaders(settings, url);
    const { responseTimeoutMs, ca, insecure } = settings;
    this.#agent = new Agent({
      connections,
      headersTimeout: responseTimeoutMs,
      bodyTimeout: responseTimeoutMs,
      maxHeaderSize: HEADER_BYTES_MAX,
      connect: {
        timeout: responseTimeoutMs,
        rejectUnauthorized: !insecure,
        ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
      },
    });
  }

  /** Never throws; when `closing` is aborted, the verdict means nothing. */
  async write(database: string, lines: string, closing: AbortSignal): Promise<WriteVerdict> {
    // The agent's time-outs are coarse and begin anew with every byte; this one ends a server that trickles.
    const bound = new AbortController();
    const timer = setTimeout(() => bound.abort(), 3 * this.#settings.responseTimeoutMs);
    try {
      const answer = await request(this.#base + this.#path(database), {
        method: 'POST',
        headers: this.#headers,
        body: this.#settings.gzip ? await compress(lines, { level: constants.Z_BEST_SPEED }) : lines,
        dispatcher: this.#agent,
        signal: AbortSignal.any([closing, bound.signal]),
      });
      const { statusCode: status, headers } = answer;
      return verdictOf({ status, headers, body: await beginningOf(answer.body) }, Date.now());
    } catch (thrown) {
      return failureOf(thrown, this.#settings.responseTimeoutMs);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends what is under way, and closes the connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #path(database: string): string {
    const { version, organization, retentionPolicy } = this.#settings;
    const query = new URLSearchParams();
    if (version === 2) query.set('org', organization);
    query.set(version === 2 ? 'bucket' : 'db', database);
    if (version === 1 && retentionPolicy !== '') query.set('rp', retentionPolicy);
    query.set('precision', version === 3 ? 'second' : 's');
    return `${PATHS[version]}?${query}`;
  }
}

const PATHS = { 1: '/write', 2: '/api/v2/write', 3: '/api/v3/write_lp' } as const;

function requestHeaders(settings: InfluxdbOutputSettings, url: URL): Readonly<Record<string, string>> {
  const authorization = authorizationOf(settings, url);
  return {
    'user-agent': settings.userAgent,
    'content-type': 'text/plain; charset=utf-8',
    ...(settings.gzip && { 'content-encoding': 'gzip' }),
    ...(authorization !== undefined && { authorization }),
  };
}

/** Version 1 has users; behind a proxy it may want a token as the others do. A user may also stand in the address. */
function authorizationOf(
  { version, token, username, password }: InfluxdbOutputSettings,
  url: URL,
): string | undefined {
  if (token !== undefined) return `${version === 2 ? 'Token' : 'Bearer'} ${token}`;
  const user = username ?? decodeURIComponent(url.username);
  if (user === '') return undefined;
  const secret = username === undefined ? decodeURIComponent(url.password) : (password ?? '');
  return `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;
}

/** Leaving the loop early gives up the rest, and the connection with it. */
async function beginningOf(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= ANSWER_BYTES_MAX) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, ANSWER_BYTES_MAX);
}

function failureOf(thrown: unknown, timeoutMs: number): WriteFailure {
  const error = rootErrorOf(thrown);
  const code = codeOf(error) ?? (error instanceof Error ? error.name : '');
  const sentence = SENTENCES[code]?.(timeoutMs / 1000);
  return {
    kind: 'failed',
    reason: sentence ?? `it cannot be reached: ${printable(reasonOf(error)) || code || 'unknown reason'}`,
    scope: 'server',
    cause: ON_THE_WAY.has(code) ? 'no-answer' : 'other',
    retryAfterMs: undefined,
  };
}

const CLOSED = () => 'it closed the connection before it had answered';
const NO_ANSWER = (seconds: number) => `it did not answer in ${seconds} s`;
const TOO_LATE = () => 'it did not answer in time';
const UNKNOWN_AUTHORITY = () => 'its certificate is of an authority that is not known here';
const NO_TLS = () => 'it does not speak TLS; is it an http address?';

const SENTENCES: Readonly<Record<string, (timeoutSeconds: number) => string>> = {
  ECONNREFUSED: () => 'it refuses connections; is it running there?',
  ENOTFOUND: () => 'its host name is not known',
  EAI_AGAIN: () => 'its host name cannot be looked up now',
  EHOSTUNREACH: () => 'its host cannot be reached',
  ENETUNREACH: () => 'its network cannot be reached',
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  UND_ERR_SOCKET: CLOSED,
  UND_ERR_CONNECT_TIMEOUT: (seconds) => `it did not take a connection in ${seconds} s`,
  UND_ERR_HEADERS_TIMEOUT: NO_ANSWER,
  UND_ERR_BODY_TIMEOUT: (seconds) => `it stopped in the middle of an answer for ${seconds} s`,
  UND_ERR_ABORTED: TOO_LATE,
  AbortError: TOO_LATE,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: () => 'its certificate has run out',
  ERR_TLS_CERT_ALTNAME_INVALID: () => 'its certificate is for another host name',
  EPROTO: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
};

const ON_THE_WAY = new Set([
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_ABORTED',
  'AbortError',
]);
