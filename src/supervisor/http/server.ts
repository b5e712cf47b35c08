import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../../shared/log.js';
import { Access } from './access.js';
import { sendFailure } from './answer.js';
import { createApp } from './app.js';
import { readTokenFile } from './bearer-token.js';
import { BodyReader } from './body.js';
import { BoundedServer, type RequestListener } from './bounded-server.js';
import { OwnHosts } from './host-names.js';
import { SERVER_LIMITS, type ServerLimits } from './limits.js';
import { parseListenAddress } from './listen-address.js';
import { messageClassesOf } from './message-classes.js';
import type { Operations } from './operations.js';
import { listenOnTcp } from './tcp-listener.js';
import { listenOnUnixSocket } from './unix-listener.js';

/** How long running requests may take to end when the server closes. */
const CLOSE_WITHIN_MS = 5_000;

/** What the server needs of the configuration. */
export interface HttpSettings {
  /** `[agent] listen`. */
  readonly listen: string;
  /** Path of the unix socket; its folder is there. */
  readonly socketPath: string;
  /** `[http] tokenfile`; empty: no token is asked for. */
  readonly tokenFile: string;
  readonly insecure: boolean;
  /** `[http] hosts`: further names under which browsers may come. */
  readonly hosts: readonly string[];
  readonly maxBodyBytes: number;
  /** `[http] namespaces`. */
  readonly namespaces: 'any' | 'own';
  /** `[output] topicprefix`, which bounds the length of a namespace. */
  readonly topicPrefix: string;
  /** Version of the agent. */
  readonly version: string;
}

/** The operators' HTTP server, on TCP and on the unix socket. */
export interface HttpServer {
  /** `host:port` with the real port. */
  readonly tcpAddress: string;
  readonly socketPath: string;
  /** Lets running requests end within a bound (ms), then gives everything back, the socket file too. */
  close(withinMs?: number): Promise<void>;
}

/**
 * Starts to serve.
 * @throws CodedError `listen` when an address cannot be had, `tokenfile`, `config`; nothing is left open then
 */
export async function startHttpServer(
  settings: HttpSettings,
  operations: Operations,
  log: Log,
  limits: ServerLimits = SERVER_LIMITS,
): Promise<HttpServer> {
  const address = parseListenAddress(settings.listen);
  const token = settings.tokenFile === '' ? undefined : readTokenFile(settings.tokenFile, log);
  const access = new Access({
    token,
    insecure: settings.insecure,
    ownHosts: new OwnHosts(address.host, settings.hosts),
    proxyHosts: settings.hosts,
  });
  const app = createApp({
    operations,
    namespaceRule: settings,
    forms: new BodyReader(limits.maxFormBytes, limits.maxFormBytes * limits.maxBodiesHeld),
    metrics: new BodyReader(settings.maxBodyBytes, settings.maxBodyBytes * limits.maxBodiesHeld),
    version: settings.version,
    log,
  });
  const messages = messageClassesOf(app);
  const local = new BoundedServer(app, messages, limits, log);
  const network = new BoundedServer(guarded(app, access), messages, limits, log);

  const removeSocket = await listenOnUnixSocket(local.server, settings.socketPath);
  const close = async (withinMs = CLOSE_WITHIN_MS) => {
    removeSocket();
    await Promise.all([local.close(withinMs), network.close(withinMs)]);
  };
  try {
    const tcpAddress = await listenOnTcp(network.server, address);
    return { tcpAddress, socketPath: settings.socketPath, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** Lets the application see only what may come in. */
function guarded(app: RequestListener, access: Access): RequestListener {
  return (request: IncomingMessage, response: ServerResponse) => {
    const refusal = access.refusal(request);
    if (refusal === undefined) {
      app(request, response);
      return;
    }
    sendFailure(
      request,
      response,
      refusal.status,
      { code: refusal.code, message: refusal.message },
      refusal.headers,
    );
  };
}
