import { fullJitterMs } from '../back-off.js';
import type { ServerAddress } from './server-address.js';
import type { ServerHealth } from './server-health.js';

interface Server {
  readonly address: ServerAddress;
  readonly isSet: boolean;
  /** False once no nsqlookupd lists it any more. */
  isListed: boolean;
  state: ServerHealth['state'];
  since: number;
  lastError: string | undefined;
  /** In a row. */
  failures: number;
  /** On the clock of `performance.now()`; 0 for a server that did not fail. */
  retryAt: number;
}

/** What to do next: connect to this server, or wait as all of them failed a moment ago, or until one is found. */
export type NextServer =
  | { readonly address: ServerAddress }
  | { readonly waitMs: number }
  | { readonly noneIsKnown: true };

/** What changed by an answer of the nsqlookupds. */
export interface ListChange {
  readonly appeared: readonly ServerAddress[];
  readonly vanished: readonly ServerAddress[];
}

/**
 * The servers and how they did. Begins with a random one, so that many hosts spread over the servers, and stays with
 * it; a server that failed is left alone for a random time that grows with every failure in a row.
 */
export class ServerList {
  /** In random order. */
  readonly #servers: Server[] = [];
  readonly #backOff: { readonly baseMs: number; readonly capMs: number };
  #current: Server | undefined;

  /** The servers that are set stay, whatever the nsqlookupds say. */
  constructor(set: readonly ServerAddress[], backOff: { readonly baseMs: number; readonly capMs: number }) {
    this.#backOff = backOff;
    for (const address of set) this.#insert(address, true);
  }

  /** The current server is the one that was given, until the next call. */
  next(): NextServer {
    const now = performance.now();
    const at = this.#current === undefined ? 0 : this.#servers.indexOf(this.#current);
    // From the current one on; the sort is stable. The longer ago a server was due, the sooner it has its turn.
    const inTurn = [...this.#servers.slice(at), ...this.#servers.slice(0, at)];
    const [best] = inTurn.sort((one, other) => one.retryAt - other.retryAt);
    if (best === undefined) return { noneIsKnown: true };
    if (best.retryAt > now) return { waitMs: best.retryAt - now };
    if (this.#current !== best && this.#current?.state === 'connected') turnTo(this.#current, 'idle');
    this.#current = best;
    turnTo(best, 'connecting');
    return { address: best.address };
  }

  /** The current server let this client in. */
  connected(): void {
    if (this.#current !== undefined) turnTo(this.#current, 'connected');
  }

  /** The current server failed. One that no nsqlookupd lists any more is forgotten. */
  failed(reason?: string): void {
    const server = this.#current;
    if (server === undefined) return;
    server.failures++;
    server.lastError = reason ?? server.lastError;
    server.retryAt =
      performance.now() + fullJitterMs(server.failures, this.#backOff.baseMs, this.#backOff.capMs);
    turnTo(server, 'failed');
    if (!server.isSet && !server.isListed) this.#remove(server);
  }

  /** The current server did what it is for. */
  worked(): void {
    const server = this.#current;
    if (server === undefined) return;
    server.failures = 0;
    server.retryAt = 0;
  }

  /**
   * Takes what the nsqlookupds list now, all of them together. A server that is not among them any more is forgotten,
   * but for the current one, which goes when it fails. When they list nothing at all everything stays: an nsqlookupd
   * that was just started knows nobody yet.
   */
  setListed(addresses: readonly ServerAddress[]): ListChange {
    if (addresses.length === 0) return { appeared: [], vanished: [] };
    const listed = new Set(addresses.map((address) => address.text));
    const vanished = this.#servers.filter((server) => server.isListed && !listed.has(server.address.text));
    for (const server of vanished) {
      server.isListed = false;
      const isInUse = server.state === 'connected' || server.state === 'connecting';
      if (!server.isSet && !isInUse) this.#remove(server);
    }
    const appeared = addresses.filter((address) => !this.#find(address)?.isListed);
    for (const address of appeared) this.#list(address);
    return { appeared, vanished: vanished.map((server) => server.address) };
  }

  health(): readonly ServerHealth[] {
    return this.#servers
      .map(({ address, isSet, state, failures, lastError, since }) => ({
        server: address.text,
        origin: isSet ? ('set' as const) : ('lookupd' as const),
        state,
        failures,
        lastError,
        since,
      }))
      .sort((one, other) => (one.server < other.server ? -1 : 1));
  }

  #list(address: ServerAddress): void {
    const server = this.#find(address) ?? this.#insert(address, false);
    server.isListed = true;
  }

  #find(address: ServerAddress): Server | undefined {
    return this.#servers.find((server) => server.address.text === address.text);
  }

  #insert(address: ServerAddress, isSet: boolean): Server {
    const server: Server = {
      address,
      isSet,
      isListed: false,
      state: 'idle',
      since: Date.now(),
      lastError: undefined,
      failures: 0,
      retryAt: 0,
    };
    this.#servers.splice(Math.floor(Math.random() * (this.#servers.length + 1)), 0, server);
    return server;
  }

  #remove(server: Server): void {
    this.#servers.splice(this.#servers.indexOf(server), 1);
    if (this.#current === server) this.#current = undefined;
  }
}

function turnTo(server: Server, state: Server['state']): void {
  server.state = state;
  server.since = Date.now();
}
