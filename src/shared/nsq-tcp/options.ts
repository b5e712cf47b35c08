import { hostname } from 'node:os';
import { createSecureContext } from 'node:tls';
import { CodedError, reasonOf } from '../coded-error.js';
import type { CompressionMethod } from './codec.js';
import { type LookupdAddress, parseLookupdAddress } from './lookupd-address.js';
import type { ProducerEvent } from './producer-event.js';
import { parseServerAddress, type ServerAddress } from './server-address.js';

/** How a producer is set up. `servers` or `lookupd` must name something; all else has a default. */
export interface NsqProducerOptions {
  /** `host:port` of the TCP port of each nsqd (usually 4150); IPv6 as `[::1]:4150`. Default: none. */
  readonly servers?: readonly string[];
  /** `host:port` or URL of the HTTP port of each nsqlookupd (usually 4161), which knows of more nsqd. Default: none. */
  readonly lookupd?: readonly string[];
  /** Each nsqlookupd is asked this often, a fifth more or less by chance; sooner while no nsqd works. Default 60,000. */
  readonly lookupdPollMs?: number;
  /** Longest time for a whole answer of an nsqlookupd. Default 5,000. */
  readonly lookupdTimeoutMs?: number;
  /** What nsqd shows of this client. Default: the host's name up to its first dot. */
  readonly clientId?: string;
  /** Default: the host's name. */
  readonly hostname?: string;
  readonly userAgent?: string;
  /** From the first packet to the end of the handshake, name look-up, TLS and AUTH included. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** Longest time without any answer while at least one is due. Default 10,000. */
  readonly responseTimeoutMs?: number;
  /** nsqd sends a heartbeat this often, 1,000 to 60,000; silent for two of them means dead. Default 30,000. */
  readonly heartbeatMs?: number;
  /** Bound of the random wait before a failed server is tried again: doubles from base to cap. Default 100 and 30,000. */
  readonly backOffBaseMs?: number;
  readonly backOffCapMs?: number;
  /** A server that does not offer it is used all the same, uncompressed, and told of. Default `none`. */
  readonly compression?: 'none' | 'deflate' | 'snappy';
  /** 1 (fast) to 9 (small); nsqd allows no more than its `--max-deflate-level`, 6. Default 6. */
  readonly deflateLevel?: number;
  /** Size of an MPUB body; nsqd's own bound is `--max-body-size`, 5 MiB. Default 2 MiB. */
  readonly maxBatchBytes?: number;
  /** Messages in an MPUB. Default 2,000. */
  readonly maxBatchMessages?: number;
  /** Messages larger than this are refused without asking a server, whose own bound is `--max-msg-size`. Default: no bound. */
  readonly maxMessageBytes?: number;
  /** Commands on the way at one time. Default 32. */
  readonly maxInFlight?: number;
  /** Messages on the way at one time. Default 100,000. */
  readonly maxInFlightMessages?: number;
  /** Bytes of messages on the way at one time; one command may always go. Default 64 MiB. */
  readonly maxInFlightBytes?: number;
  /** Messages handed over and not settled; beyond, `publish` rejects with `nsq-full`. Default: no bound. */
  readonly maxUnsettledMessages?: number;
  /** The same in bytes. One message is taken, however large, when nothing else is there. Default: no bound. */
  readonly maxUnsettledBytes?: number;
  /** Present, even if empty: TLS is required. */
  readonly tls?: NsqTls;
  /** Sent to servers that require it. */
  readonly authSecret?: string;
  /** Told what is worth a line in a log. */
  readonly onEvent?: (event: ProducerEvent) => void;
}

/** PEM texts and checks, as for `tls.connect` of Node. */
export interface NsqTls {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name that the certificate must have. Default: the server's host. */
  readonly servername?: string;
  /** False takes any certificate. Default true. */
  readonly rejectUnauthorized?: boolean;
}

/** What one connection needs to know. */
export interface ConnectionSettings {
  readonly clientId: string;
  readonly hostname: string;
  readonly userAgent: string;
  readonly connectTimeoutMs: number;
  readonly responseTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly tls: NsqTls | undefined;
  readonly authSecret: string | undefined;
  readonly compression: CompressionMethod | undefined;
}

/** The options with all defaults filled in. */
export interface ProducerSettings extends ConnectionSettings {
  readonly servers: readonly ServerAddress[];
  readonly lookupds: readonly LookupdAddress[];
  readonly lookupdPollMs: number;
  readonly lookupdTimeoutMs: number;
  readonly backOffBaseMs: number;
  readonly backOffCapMs: number;
  readonly maxBatchBytes: number;
  readonly maxBatchMessages: number;
  readonly maxMessageBytes: number;
  readonly maxInFlight: number;
  readonly maxInFlightMessages: number;
  readonly maxInFlightBytes: number;
  readonly maxUnsettledMessages: number;
  readonly maxUnsettledBytes: number;
  readonly onEvent: (event: ProducerEvent) => void;
}

/** The largest size that the protocol can say. */
const MAX_INT32 = 2 ** 31 - 1;
const UNBOUNDED = Number.MAX_SAFE_INTEGER;
/** Node's timers know no longer time. */
const MAX_TIME_MS = MAX_INT32;

/** Throws CodedError `nsq-options` for a server or number that cannot be. */
export function producerSettings(options: NsqProducerOptions): ProducerSettings {
  const { servers = [], lookupd = [] } = options;
  if (servers.length === 0 && lookupd.length === 0) {
    throw new CodedError(
      'nsq-options',
      'no nsqd is named: give at least one server as host:port, or an nsqlookupd that knows some',
    );
  }
  const number = (key: NumberKey, fallback: number, least: number, most: number): number =>
    checkedNumber(key, options[key] ?? fallback, least, most);
  const maxInFlightMessages = number('maxInFlightMessages', 100_000, 1, MAX_INT32);
  const maxInFlightBytes = number('maxInFlightBytes', 64 * 1024 * 1024, 1, UNBOUNDED);
  return {
    servers: [...new Set(servers)].map(parseServerAddress),
    lookupds: [...new Set(lookupd)].map(parseLookupdAddress),
    lookupdPollMs: number('lookupdPollMs', 60_000, 100, Math.floor(MAX_TIME_MS / 2)),
    lookupdTimeoutMs: number('lookupdTimeoutMs', 5_000, 1, MAX_TIME_MS),
    clientId: options.clientId ?? (hostname().split('.')[0] || 'nsq-tcp'),
    hostname: options.hostname ?? hostname(),
    userAgent: options.userAgent ?? 'nsq-tcp',
    connectTimeoutMs: number('connectTimeoutMs', 5_000, 1, MAX_TIME_MS),
    responseTimeoutMs: number('responseTimeoutMs', 10_000, 1, MAX_TIME_MS),
    heartbeatMs: number('heartbeatMs', 30_000, 1_000, 60_000),
    backOffBaseMs: number('backOffBaseMs', 100, 1, MAX_TIME_MS),
    backOffCapMs: number('backOffCapMs', 30_000, 1, MAX_TIME_MS),
    // A batch larger than all that may be on the way could never go together with another.
    maxBatchBytes: Math.min(number('maxBatchBytes', 2 * 1024 * 1024, 1, MAX_INT32), maxInFlightBytes),
    maxBatchMessages: Math.min(number('maxBatchMessages', 2_000, 1, MAX_INT32), maxInFlightMessages),
    maxMessageBytes: number('maxMessageBytes', MAX_INT32, 1, MAX_INT32),
    maxInFlight: number('maxInFlight', 32, 1, 10_000),
    maxInFlightMessages,
    maxInFlightBytes,
    maxUnsettledMessages: number('maxUnsettledMessages', UNBOUNDED, 1, UNBOUNDED),
    maxUnsettledBytes: number('maxUnsettledBytes', UNBOUNDED, 1, UNBOUNDED),
    tls: options.tls === undefined ? undefined : checkedTls(options.tls),
    authSecret: options.authSecret === '' ? undefined : options.authSecret,
    compression: compressionMethod(options.compression ?? 'none', number('deflateLevel', 6, 1, 9)),
    onEvent: options.onEvent ?? (() => {}),
  };
}

type NumberKey = {
  [Key in keyof NsqProducerOptions]-?: number extends NsqProducerOptions[Key] ? Key : never;
}[keyof NsqProducerOptions];

function checkedNumber(key: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new CodedError(
    'nsq-options',
    `${key} is ${value}: it must be a whole number from ${least} to ${most}`,
  );
}

function compressionMethod(kind: string, level: number): CompressionMethod | undefined {
  switch (kind) {
    case 'none':
      return undefined;
    case 'deflate':
      return { kind, level };
    case 'snappy':
      return { kind };
    default:
      throw new CodedError(
        'nsq-options',
        `compression is ${JSON.stringify(kind)}: it must be "none", "deflate" or "snappy"`,
      );
  }
}

/** Says at once what every connection would fail over. */
function checkedTls(tls: NsqTls): NsqTls {
  try {
    createSecureContext(tls);
    return tls;
  } catch (error) {
    throw new CodedError('nsq-options', `the TLS certificates or key cannot be used: ${reasonOf(error)}`);
  }
}
