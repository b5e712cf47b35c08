import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { codeOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import { sendFailure } from './answer.js';
import type { ServerLimits } from './limits.js';
import type { MessageClasses } from './message-classes.js';
import { answerRaw, answerUnreadable } from './raw-answer.js';

/** Connections that are turned away are said at most this often. */
const DROP_WARNING_INTERVAL_MS = 60_000;

/** Answers requests; takes any number at a time. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/** One HTTP server of Node with its bounds, which knows what it is busy with so that it can end well. */
export class BoundedServer {
  readonly server: Server;
  readonly #connections = new Set<Socket>();
  readonly #answering = new Set<ServerResponse>();
  readonly #log: Log;
  #closing = false;
  #nextDropWarningMs = 0;

  constructor(listener: RequestListener, messages: MessageClasses, limits: ServerLimits, log: Log) {
    this.#log = log;
    this.server = createServer({
      ...messages,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: limits.checkIntervalMs,
      maxHeaderSize: limits.maxHeaderBytes,
      keepAlive: true,
    });
    this.server.maxConnections = limits.maxConnections;
    const serve = (request: IncomingMessage, response: ServerResponse) =>
      this.#serve(request, response, listener);
    this.server
      .on('request', serve)
      // The client waits to be told to send its body; the body reader does so, a refusal does not.
      .on('checkContinue', serve)
      .on('checkExpectation', refuseExpectation)
      .on('connect', (_request, connection) =>
        answerRaw(connection, 'method-not-allowed', 'this is no proxy, CONNECT is not served'),
      )
      .on('clientError', (error, connection) => answerUnreadable(connection, codeOf(error)))
      .on('connection', (connection: Socket) => this.#watch(connection))
      .on('drop', () => this.#warnOfDrop())
      .on('error', (error) => this.#warnOfError(error));
  }

  /**
   * Takes no more connections, closes those without a request, lets running requests end within `withinMs`, then
   * closes whatever is left.
   */
  async close(withinMs: number): Promise<void> {
    if (!this.server.listening) return;
    this.#closing = true;
    const closed = once(this.server, 'close');
    this.server.close();
    const busy = new Set<Socket | null>();
    for (const response of this.#answering) {
      response.shouldKeepAlive = false;
      busy.add(response.socket);
    }
    for (const connection of this.#connections) if (!busy.has(connection)) connection.destroy();
    const bound = setTimeout(() => this.#endAll(), withinMs);
    await closed;
    clearTimeout(bound);
  }

  #serve(request: IncomingMessage, response: ServerResponse, listener: RequestListener): void {
    this.#answering.add(response);
    if (this.#closing) response.shouldKeepAlive = false;
    response.once('close', () => this.#answering.delete(response));
    listener(request, response);
  }

  #watch(connection: Socket): void {
    this.#connections.add(connection);
    connection.once('close', () => this.#connections.delete(connection));
  }

  /** An address that cannot be had is an error of the start, which names it. */
  #warnOfError(error: Error): void {
    if (!this.server.listening) return;
    this.#log.warn({ err: error }, 'the HTTP server could not take a connection');
  }

  #warnOfDrop(): void {
    const nowMs = performance.now();
    if (nowMs < this.#nextDropWarningMs) return;
    this.#nextDropWarningMs = nowMs + DROP_WARNING_INTERVAL_MS;
    const { maxConnections } = this.server;
    this.#log.warn(
      { maxConnections },
      'the HTTP server has as many connections as it may have and turns others away; somebody keeps them open',
    );
  }

  #endAll(): void {
    for (const connection of this.#connections) connection.destroy();
  }
}

function refuseExpectation(request: IncomingMessage, response: ServerResponse): void {
  sendFailure(request, response, 417, {
    code: 'unsupported-expectation',
    message: 'only "Expect: 100-continue" is understood',
  });
}
