import type { CompressionMethod } from './codec.js';
import * as commands from './commands.js';
import { ConnectionFailure } from './connection-end.js';
import { printable } from './nsq-error.js';
import type { ConnectionSettings, NsqTls } from './options.js';

/** What the handshake needs of the connection: every promise is rejected when the connection ends. */
export interface HandshakeLink {
  /** Sends `bytes` and gives the next response. */
  request(bytes: Buffer): Promise<Buffer>;
  /** Goes over to TLS and gives the first response inside it. */
  startTls(tls: NsqTls): Promise<Buffer>;
  /** Compresses the rest of the connection and gives the first response inside. */
  startCompression(method: CompressionMethod): Promise<Buffer>;
}

/** What both sides agreed on. */
export interface Agreed {
  /** Undefined: nothing is compressed, whether it was asked for or not. */
  readonly compression: CompressionMethod | undefined;
}

/**
 * Introduces the client to a connected server, with TLS, compression and AUTH, in this order, where they are due.
 * Without the TLS that is asked for nothing goes further; without the compression it does. Throws ConnectionFailure.
 */
export async function shakeHands(link: HandshakeLink, settings: ConnectionSettings): Promise<Agreed> {
  const answer = await link.request(Buffer.concat([commands.MAGIC, commands.identify(identityOf(settings))]));
  const features = readFeatures(answer);
  if (settings.tls !== undefined) {
    if (!features.tls) {
      throw new ConnectionFailure(
        'lost',
        'offers no TLS, which is asked for here: nothing is sent to it in clear',
      );
    }
    expectOk(await link.startTls(settings.tls));
  }
  const compression = agreedCompression(settings.compression, features);
  if (compression !== undefined) expectOk(await link.startCompression(compression));
  if (features.authRequired) await authenticate(link, settings.authSecret);
  return { compression };
}

function identityOf(settings: ConnectionSettings): commands.Identity {
  const { compression } = settings;
  return {
    client_id: settings.clientId,
    hostname: settings.hostname,
    user_agent: settings.userAgent,
    feature_negotiation: true,
    heartbeat_interval: settings.heartbeatMs,
    tls_v1: settings.tls !== undefined,
    deflate: compression?.kind === 'deflate',
    ...(compression?.kind === 'deflate' && { deflate_level: compression.level }),
    snappy: compression?.kind === 'snappy',
  };
}

/** The server has the last word, on the level too: it may be set up to allow less. */
function agreedCompression(
  asked: CompressionMethod | undefined,
  features: Features,
): CompressionMethod | undefined {
  if (asked?.kind === 'snappy' && features.snappy) return asked;
  if (asked?.kind !== 'deflate' || !features.deflate) return undefined;
  return { kind: 'deflate', level: Math.min(asked.level, features.deflateLevel ?? asked.level) };
}

async function authenticate(link: HandshakeLink, secret: string | undefined): Promise<void> {
  if (secret === undefined) {
    throw new ConnectionFailure('auth', 'requires authentication, but no auth secret is set here');
  }
  await link.request(commands.auth(secret));
}

interface Features {
  readonly tls: boolean;
  readonly deflate: boolean;
  readonly deflateLevel: number | undefined;
  readonly snappy: boolean;
  readonly authRequired: boolean;
}

/** nsqd older than 0.2.20 knows no feature negotiation, and nothing that is negotiated. */
const NO_FEATURES: Features = {
  tls: false,
  deflate: false,
  deflateLevel: undefined,
  snappy: false,
  authRequired: false,
};

function readFeatures(answer: Buffer): Features {
  const text = answer.toString();
  if (text === 'OK') return NO_FEATURES;
  const features = parseObject(text);
  if (features === undefined) throw notUnderstood(text);
  const level = features.deflate_level;
  return {
    tls: features.tls_v1 === true,
    deflate: features.deflate === true,
    deflateLevel: typeof level === 'number' && level >= 1 && level <= 9 ? Math.floor(level) : undefined,
    snappy: features.snappy === true,
    authRequired: features.auth_required === true,
  };
}

function parseObject(text: string): { readonly [feature: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    // The caller names what came instead.
    return undefined;
  }
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function expectOk(answer: Buffer): void {
  if (!answer.equals(OK)) throw notUnderstood(answer.toString());
}

function notUnderstood(text: string): ConnectionFailure {
  return new ConnectionFailure(
    'not-nsqd',
    `sent "${printable(text.slice(0, 80))}" in the handshake: is this the TCP port of an nsqd?`,
  );
}

/** The response that says yes. */
export const OK = Buffer.from('OK', 'latin1');
