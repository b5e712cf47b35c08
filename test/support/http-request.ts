import { request } from 'node:http';
import { createConnection, type Socket } from 'node:net';

/** Where a server listens: `host:port`, or the path of a unix socket. */
export type HttpTarget = string;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The parsed text; undefined when it is no JSON. */
  readonly json: unknown;
}

export interface HttpRequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** Sends one request on a connection of its own. */
export function httpRequest(
  target: HttpTarget,
  path: string,
  options: HttpRequestOptions = {},
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request({
      ...(isSocketPath(target) ? { socketPath: target } : tcpAddressOf(target)),
      path,
      method: options.method ?? 'GET',
      headers: { ...options.headers },
      agent: false,
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: parsed(text) });
      });
    });
    sent.end(options.body);
  });
}

/** A bare connection, for requests that no client library would send. */
export class RawConnection {
  readonly socket: Socket;
  #received = '';

  constructor(target: HttpTarget) {
    this.socket = createConnection(isSocketPath(target) ? { path: target } : tcpAddressOf(target));
    this.socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString();
    });
    // A connection that the server cuts is part of what tests look at; `closed` tells of it.
    this.socket.on('error', () => {});
  }

  /** All that came so far. */
  get received(): string {
    return this.#received;
  }

  send(data: string | Buffer): void {
    this.socket.write(data);
  }

  /** Waits until the connection is closed and gives all that came. */
  async closed(): Promise<string> {
    if (!this.socket.destroyed) await new Promise((resolve) => this.socket.once('close', resolve));
    return this.#received;
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Sends bytes as they are and gives all that comes until the server closes. */
export function rawExchange(target: HttpTarget, data: string | Buffer): Promise<string> {
  const connection = new RawConnection(target);
  connection.send(data);
  return connection.closed();
}

function isSocketPath(target: HttpTarget): boolean {
  return target.startsWith('/');
}

function tcpAddressOf(target: HttpTarget): { readonly host: string; readonly port: number } {
  const colon = target.lastIndexOf(':');
  const host = target.slice(0, colon);
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port: Number(target.slice(colon + 1)) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
