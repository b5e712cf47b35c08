import { fullJitterMs } from '../../../../shared/back-off.js';
import type { InitRequest } from '../../../../shared/output-host/messages.js';
import type { HostClient } from './host-client.js';
import type { RestartPauses } from './restart-pauses.js';

interface Member {
  readonly client: HostClient;
  readonly instance: number;
  state: 'new' | 'initialising' | 'ready' | 'failed';
  initFailures: number;
  retryTimer: NodeJS.Timeout | undefined;
}

export interface HostInstancesOptions {
  readonly pauses: RestartPauses;
  /** Called with the request for the instance whose turn it is; `noteInit` is the answer. */
  readonly initialise: (request: InitRequest, client: HostClient) => void;
}

/** The instances of a library: initialised one at a time, and again at leisure where that failed. */
export class HostInstances {
  readonly #options: HostInstancesOptions;
  readonly #members = new Map<number, Member>();
  #nextInstance = 1;
  #pluginName: string | undefined;

  constructor(options: HostInstancesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#members.size;
  }

  get clients(): readonly HostClient[] {
    return [...this.#members.values()].map(({ client }) => client);
  }

  /** The one whose init is under way. */
  get initialising(): { readonly client: HostClient; readonly instance: number } | undefined {
    return [...this.#members.values()].find(({ state }) => state === 'initialising');
  }

  client(instance: number): HostClient | undefined {
    return this.#members.get(instance)?.client;
  }

  /** Adds an instance and answers its number. */
  add(client: HostClient): number {
    const instance = this.#nextInstance;
    this.#nextInstance += 1;
    this.#members.set(instance, { client, instance, state: 'new', initFailures: 0, retryTimer: undefined });
    this.#initNext();
    return instance;
  }

  /** It is not initialised again. */
  rest(instance: number): void {
    clearTimeout(this.#members.get(instance)?.retryTimer);
  }

  remove(instance: number): void {
    this.#members.delete(instance);
  }

  /** The library is loaded in a new process: the turns begin. */
  noteLoaded(pluginName: string): void {
    this.#pluginName = pluginName;
    this.#initNext();
  }

  /** The init of the instance came back, with the reason when it failed. */
  noteInit(instance: number, reason: string | undefined): void {
    const member = this.#members.get(instance);
    if (member && reason === undefined) {
      member.state = 'ready';
      member.initFailures = 0;
      member.client.onReady();
    } else if (member) {
      this.#retry(member, reason ?? '');
    }
    this.#initNext();
  }

  /** The process is gone: no turns until the next one has loaded the library. */
  noteEnded(): void {
    this.#pluginName = undefined;
  }

  /** All are new again, and are told why. @returns how many chunks were under way */
  startOver(reason: string): number {
    let chunks = 0;
    for (const member of this.#members.values()) {
      clearTimeout(member.retryTimer);
      member.state = 'new';
      chunks += member.client.onGone(reason);
    }
    return chunks;
  }

  #initNext(): void {
    if (this.#pluginName === undefined || this.initialising) return;
    const next = [...this.#members.values()].find(({ state }) => state === 'new');
    if (!next) return;
    const { settings } = next.client;
    if (settings.pluginName !== '' && settings.pluginName.toLowerCase() !== this.#pluginName.toLowerCase()) {
      next.state = 'failed';
      next.client.onFailed(`the library registers "${this.#pluginName}", not "${settings.pluginName}"`);
      this.#initNext();
      return;
    }
    next.state = 'initialising';
    const { properties, reservedKeys, workers } = settings;
    const request = { type: 'init', instance: next.instance, properties, reservedKeys, workers } as const;
    this.#options.initialise(request, next.client);
  }

  #retry(member: Member, reason: string): void {
    member.state = 'failed';
    member.initFailures += 1;
    const { failureBaseMs, failureCapMs } = this.#options.pauses;
    const delayMs = failureBaseMs + fullJitterMs(member.initFailures, failureBaseMs, failureCapMs);
    member.client.onFailed(`${reason}; it is initialised again in ${(delayMs / 1000).toFixed(1)} s`);
    member.retryTimer = setTimeout(() => {
      member.state = 'new';
      this.#initNext();
    }, delayMs);
    member.retryTimer.unref();
  }
}
