import { NsqConnection } from './connection.js';
import type { ConnectionEnd } from './connection-end.js';
import { Discovery } from './discovery.js';
import type { Agreed } from './handshake.js';
import { verdictOn } from './nsq-error.js';
import type { ProducerSettings } from './options.js';
import type { ProducerEvent, ProducerEventKind } from './producer-event.js';
import type { ProducerStatus } from './producer-status.js';
import type { ServerAddress } from './server-address.js';
import { ServerList } from './server-list.js';

/** What an uplink tells its owner. Nothing is told after `close()`, but from inside of what was being told. */
export interface UplinkEvents<Token> {
  /** There is a connection to send on. */
  ready(): void;
  /** The server answered OK to the command of this token. */
  answered(token: Token): void;
  /** The connection is over; the next one comes by itself. */
  ended(end: ConnectionEnd<Token>, server: ServerAddress): void;
  told(event: ProducerEvent): void;
}

/** The uplink's part of the producer's status. */
export type UplinkStatus = Pick<
  ProducerStatus,
  'server' | 'state' | 'compression' | 'servers' | 'lookupds'
> & {
  readonly counts: Pick<ProducerStatus['counts'], 'connections' | 'failures'>;
};

/** Keeps one connection to one of the servers, of those that are set and those that are found, until `close()`. */
export class Uplink<Token> {
  readonly #settings: ProducerSettings;
  readonly #events: UplinkEvents<Token>;
  readonly #servers: ServerList;
  readonly #discovery: Discovery;
  readonly #counts = { connections: 0, failures: 0 };
  #connection: NsqConnection<Token> | undefined;
  #server: ServerAddress | undefined;
  #state: ProducerStatus['state'] = 'connecting';
  #compression: ProducerStatus['compression'];
  #retryTimer: NodeJS.Timeout | undefined;
  /** True once the current connection was of use. */
  #isProven = false;
  /** When the current connection became ready, on the clock of `performance.now()`. */
  #readyAt = 0;

  constructor(settings: ProducerSettings, events: UplinkEvents<Token>) {
    this.#settings = settings;
    this.#events = events;
    this.#servers = new ServerList(settings.servers, {
      baseMs: settings.backOffBaseMs,
      capMs: settings.backOffCapMs,
    });
    this.#discovery = new Discovery(settings, {
      listed: (addresses) => this.#listed(addresses),
      failed: (server, reason) => this.#tell('lookupd-failed', server, `nsqlookupd ${server} ${reason}`),
      isUrgent: () => this.#isWaiting(),
      recovered: (server) => this.#tell('lookupd-recovered', server, `nsqlookupd ${server} answers again`),
    });
    this.#connect();
  }

  /** The connection to send on, while there is one that is ready. */
  get connection(): NsqConnection<Token> | undefined {
    return this.#state === 'connected' ? this.#connection : undefined;
  }

  status(): UplinkStatus {
    return {
      server: this.#server?.text,
      state: this.#state,
      compression: this.#state === 'connected' ? this.#compression : undefined,
      servers: this.#servers.health(),
      lookupds: this.#discovery.health(),
      counts: this.#counts,
    };
  }

  /** Gives the tokens of the commands on the way, oldest first; `closed` resolves when the connection is closed. */
  close(): { readonly unanswered: readonly Token[]; readonly closed: Promise<void> } {
    const connection = this.#connection;
    this.#state = 'closed';
    this.#connection = undefined;
    clearTimeout(this.#retryTimer);
    this.#discovery.close();
    return {
      unanswered: connection?.unanswered ?? [],
      closed: connection?.close() ?? Promise.resolve(),
    };
  }

  #connect(): void {
    const next = this.#servers.next();
    if (!('address' in next)) {
      this.#state = 'waitMs' in next ? 'backing-off' : 'no-server';
      if ('waitMs' in next) this.#retryTimer = setTimeout(() => this.#connect(), next.waitMs);
      this.#discovery.hurry();
      return;
    }
    this.#state = 'connecting';
    this.#server = next.address;
    this.#isProven = false;
    this.#connection = new NsqConnection<Token>(next.address, this.#settings, {
      ready: (agreed) => this.#ready(next.address, agreed),
      answered: (token) => this.#answered(token),
      ended: (end) => this.#ended(next.address, end),
    });
  }

  #ready({ text: server }: ServerAddress, { compression }: Agreed): void {
    this.#state = 'connected';
    this.#compression = compression?.kind ?? 'none';
    this.#readyAt = performance.now();
    this.#counts.connections++;
    this.#servers.connected();
    this.#events.ready();
    this.#tell('connected', server, `publishing to nsqd ${server}`);
    const asked = this.#settings.compression?.kind;
    if (asked === undefined || compression !== undefined || this.#isClosed()) return;
    this.#tell(
      'not-compressed',
      server,
      `nsqd ${server} does not offer ${asked}: messages go to it uncompressed`,
    );
  }

  #answered(token: Token): void {
    if (!this.#isProven) this.#servers.worked();
    this.#isProven = true;
    this.#events.answered(token);
  }

  #ended(server: ServerAddress, end: ConnectionEnd<Token>): void {
    if (this.#state === 'closed') return;
    this.#connection = undefined;
    this.#state = 'connecting';
    const isServersFault = end.refused === undefined || verdictOn(end.refused.error) === 'again';
    if (isServersFault) this.#count(server, end);
    this.#events.ended(end, server);
    if (isServersFault && !this.#isClosed())
      this.#tell(eventKind(end), server.text, `nsqd ${server.text} ${end.reason}`);
    // Told by an event or a promise, the owner may have closed it meanwhile. A server that is well, with a command
    // at fault, is connected to again at once.
    if (!this.#isClosed()) this.#connect();
  }

  #count(server: ServerAddress, end: ConnectionEnd<Token>): void {
    // A connection that held long, even idle, makes this failure the first in a row.
    if (end.wasReady && performance.now() - this.#readyAt > this.#settings.backOffCapMs)
      this.#servers.worked();
    this.#counts.failures++;
    this.#servers.failed(`nsqd ${server.text} ${end.reason}`);
  }

  #listed(addresses: readonly ServerAddress[]): void {
    const { appeared, vanished } = this.#servers.setListed(addresses);
    for (const { text } of appeared) this.#tell('server-appeared', text, `nsqd ${text} was found`);
    for (const { text } of vanished) {
      this.#tell('server-vanished', text, `nsqd ${text} is not listed by any nsqlookupd any more`);
    }
    if (appeared.length === 0 || !this.#isWaiting()) return;
    clearTimeout(this.#retryTimer);
    this.#connect();
  }

  #isWaiting(): boolean {
    return this.#state === 'backing-off' || this.#state === 'no-server';
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #tell(kind: ProducerEventKind, server: string, message: string): void {
    this.#events.told({ kind, server, message });
  }
}

function eventKind(end: ConnectionEnd<unknown>): ProducerEventKind {
  if (end.kind === 'error') return 'server-error';
  if (end.kind === 'lost') return end.wasReady ? 'disconnected' : 'unreachable';
  return end.kind;
}
