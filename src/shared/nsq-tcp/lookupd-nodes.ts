import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import { printable } from './nsq-error.js';
import { parseServerAddress, type ServerAddress } from './server-address.js';

/** Bounds of an answer: some 10,000 nodes with a few topics each. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const MAX_NODES = 10_000;

const WRONG_PORT = 'is this the HTTP port of an nsqlookupd, usually 4161?';

/**
 * Asks an nsqlookupd for the nsqd that have registered with it. Nodes that have no usable address are left out.
 * Throws an Error whose message goes on where "nsqlookupd host:port" leaves off.
 */
export async function fetchNodes(
  url: URL,
  timeoutMs: number,
  cancel: AbortSignal,
): Promise<readonly ServerAddress[]> {
  const bound = new AbortController();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    bound.abort();
  }, timeoutMs);
  cancel.addEventListener('abort', () => bound.abort(), { once: true, signal: bound.signal });
  try {
    return readNodes(await fetchBody(url, bound.signal));
  } catch (error) {
    if (isLate) throw new Error(`did not answer within ${timeoutMs} ms`);
    throw error;
  } finally {
    clearTimeout(timer);
    // Takes the listener off, too.
    bound.abort();
  }
}

/** One request over a connection of its own: they are minutes apart. */
function fetchBody(url: URL, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const get = url.protocol === 'https:' ? getHttps : getHttp;
    const options = { agent: false, signal, headers: { accept: 'application/json' } } as const;
    const request = get(url, options, (response) => void readBody(response).then(resolve, reject));
    request.on('error', (error: NodeJS.ErrnoException) => reject(new Error(requestProblem(error))));
  });
}

function requestProblem(error: NodeJS.ErrnoException): string {
  const reasons = error instanceof AggregateError ? error.errors.map(String).join('; ') : error.message;
  const hint = error.code?.startsWith('HPE_') === true ? `: ${WRONG_PORT}` : '';
  return `cannot be asked: ${printable(reasons)}${hint}`;
}

async function readBody(response: IncomingMessage): Promise<string> {
  if (response.statusCode !== 200) {
    response.destroy();
    throw new Error(`answered with HTTP status ${response.statusCode}: ${WRONG_PORT}`);
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    // Leaving the loop ends the request.
    if (bytes > MAX_BODY_BYTES)
      throw new Error(`sent more than ${MAX_BODY_BYTES} bytes, which is no list of nodes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The addresses in an answer to `/nodes`. Throws as `fetchNodes`. */
export function readNodes(body: string): readonly ServerAddress[] {
  const answer = parse(body);
  // Before version 1.0 the answer was wrapped up with a status.
  const wrapped = property(answer, 'data');
  const producers = property(wrapped === undefined ? answer : wrapped, 'producers');
  if (!Array.isArray(producers)) {
    throw new Error(`sent "${printable(body.slice(0, 80))}", which lists no nodes: ${WRONG_PORT}`);
  }
  const nodes = new Map<string, ServerAddress>();
  for (const producer of producers.slice(0, MAX_NODES)) {
    const address = addressOf(producer);
    if (address !== undefined) nodes.set(address.text, address);
  }
  return [...nodes.values()];
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // The caller names what came instead.
    return undefined;
  }
}

function addressOf(producer: unknown): ServerAddress | undefined {
  const host = property(producer, 'broadcast_address');
  const port = property(producer, 'tcp_port');
  if (typeof host !== 'string' || typeof port !== 'number') return undefined;
  try {
    return parseServerAddress(`${host.includes(':') ? `[${host}]` : host}:${port}`);
  } catch {
    // An nsqd that was told to broadcast what is no address cannot be reached by it, here or anywhere.
    return undefined;
  }
}

function property(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as { readonly [key: string]: unknown })[name];
}
