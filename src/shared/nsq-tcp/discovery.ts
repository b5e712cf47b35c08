import { reasonOf } from '../coded-error.js';
import type { LookupdAddress } from './lookupd-address.js';
import { fetchNodes } from './lookupd-nodes.js';
import type { ServerAddress } from './server-address.js';

/** How an nsqlookupd did so far. */
export interface LookupdHealth {
  /** `host:port`, with the path if there is one. */
  readonly lookupd: string;
  /** `asked`: it was not heard yet. */
  readonly state: 'asked' | 'answering' | 'failed';
  /** In a row. */
  readonly failures: number;
  /** Stays when all is well again. */
  readonly lastError: string | undefined;
  /** When the state began: unix time in milliseconds. */
  readonly since: number;
  /** How many nsqd it listed last. */
  readonly nodes: number;
}

/** Whom to ask, and how often. */
export interface DiscoverySettings {
  readonly lookupds: readonly LookupdAddress[];
  readonly lookupdPollMs: number;
  readonly lookupdTimeoutMs: number;
}

/** What a discovery tells and asks its owner. */
export interface DiscoveryEvents {
  /** What all nsqlookupds list together, each by its last answer. Told after every answer. */
  listed(addresses: readonly ServerAddress[]): void;
  /** Told once, not with every try; the reason goes on where "nsqlookupd host:port" leaves off. */
  failed(lookupd: string, reason: string): void;
  /** No server works: an answer is waited for. */
  isUrgent(): boolean;
  /** It answers again. */
  recovered(lookupd: string): void;
}

interface Lookupd {
  readonly address: LookupdAddress;
  nodes: readonly ServerAddress[];
  state: LookupdHealth['state'];
  failures: number;
  lastError: string | undefined;
  since: number;
}

/** The polls of many hosts are spread by up to this part of the interval, to both sides. */
const JITTER = 0.2;
/** However urgent, an nsqlookupd is not asked more often than this. */
const LEAST_POLL_MS = 5_000;

/**
 * Asks all nsqlookupds again and again which nsqd there are. One that does not answer counts with what it said last.
 * Runs from the start until `close()`.
 */
export class Discovery {
  readonly #settings: DiscoverySettings;
  readonly #events: DiscoveryEvents;
  readonly #lookupds: readonly Lookupd[];
  readonly #cancel = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** On the clock of `performance.now()`. */
  #dueAt = 0;
  #polledAt = 0;

  constructor(settings: DiscoverySettings, events: DiscoveryEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#lookupds = settings.lookupds.map((address) => ({
      address,
      nodes: [],
      state: 'asked',
      failures: 0,
      lastError: undefined,
      since: Date.now(),
    }));
    if (this.#lookupds.length > 0) void this.#poll();
  }

  /** No server works: the next poll need not wait for its time. */
  hurry(): void {
    const soonest = this.#polledAt + this.#leastMs();
    if (this.#timer !== undefined && soonest < this.#dueAt) this.#schedule(soonest - performance.now());
  }

  health(): readonly LookupdHealth[] {
    return this.#lookupds.map(({ address, nodes, state, failures, lastError, since }) => ({
      lookupd: address.text,
      state,
      failures,
      lastError,
      since,
      nodes: nodes.length,
    }));
  }

  close(): void {
    this.#cancel.abort();
    clearTimeout(this.#timer);
  }

  async #poll(): Promise<void> {
    this.#timer = undefined;
    this.#polledAt = performance.now();
    await Promise.all(this.#lookupds.map((lookupd) => this.#ask(lookupd)));
    if (this.#cancel.signal.aborted) return;
    const spread = 1 + JITTER * (2 * Math.random() - 1);
    const everyMs = this.#events.isUrgent() ? this.#leastMs() : this.#settings.lookupdPollMs;
    this.#schedule(this.#polledAt + everyMs * spread - performance.now());
  }

  #leastMs(): number {
    return Math.min(this.#settings.lookupdPollMs, LEAST_POLL_MS);
  }

  #schedule(waitMs: number): void {
    clearTimeout(this.#timer);
    this.#dueAt = performance.now() + Math.max(0, waitMs);
    this.#timer = setTimeout(() => void this.#poll(), Math.max(0, waitMs));
  }

  async #ask(lookupd: Lookupd): Promise<void> {
    const { nodesUrl } = lookupd.address;
    try {
      const nodes = await fetchNodes(nodesUrl, this.#settings.lookupdTimeoutMs, this.#cancel.signal);
      if (!this.#cancel.signal.aborted) this.#answered(lookupd, nodes);
    } catch (error) {
      if (!this.#cancel.signal.aborted) this.#failed(lookupd, reasonOf(error));
    }
  }

  #answered(lookupd: Lookupd, nodes: readonly ServerAddress[]): void {
    const hadFailed = lookupd.state === 'failed';
    if (lookupd.state !== 'answering') lookupd.since = Date.now();
    lookupd.state = 'answering';
    lookupd.failures = 0;
    lookupd.nodes = nodes;
    if (hadFailed) this.#events.recovered(lookupd.address.text);
    this.#events.listed(this.#union());
  }

  #failed(lookupd: Lookupd, reason: string): void {
    const isNew = lookupd.state !== 'failed';
    if (isNew) lookupd.since = Date.now();
    lookupd.state = 'failed';
    lookupd.failures++;
    lookupd.lastError = reason;
    if (isNew) this.#events.failed(lookupd.address.text, reason);
  }

  #union(): readonly ServerAddress[] {
    const all = this.#lookupds.flatMap((lookupd) => lookupd.nodes);
    return [...new Map(all.map((address) => [address.text, address])).values()];
  }
}
