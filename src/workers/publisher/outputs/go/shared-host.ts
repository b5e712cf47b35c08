import { fullJitterMs } from '../../../../shared/back-off.js';
import type { Log } from '../../../../shared/log.js';
import type { FlushAnswer, FlushRequest, FromOutputHost } from '../../../../shared/output-host/messages.js';
import type { GoOutputSettings } from '../../../../shared/output-settings.js';
import { crashReason, crashTail } from './crash-report.js';
import { type HostEnd, HostProcess } from './host-process.js';

/** Bounds of the back-off between two processes, or two tries to initialise an instance, in milliseconds. */
export interface RestartPauses {
  readonly crashBaseMs: number;
  readonly crashCapMs: number;
  /** What cannot be loaded or initialised is tried again at leisure: somebody has to do something about it. */
  readonly failureBaseMs: number;
  readonly failureCapMs: number;
}

/** Those of an agent. */
export const RESTART_PAUSES: RestartPauses = {
  crashBaseMs: 200,
  crashCapMs: 30_000,
  failureBaseMs: 1000,
  failureCapMs: 300_000,
};

/** Threads beside those that flush: for properties, ends and what the library wants else. */
const SPARE_CALLS = 4;
const CALLS_MOST = 512;

/** An instance of the plugin, as its host sees it. */
export interface HostClient {
  readonly alias: string;
  readonly settings: GoOutputSettings;
  /** It is initialised: chunks can be sent. */
  onReady(): void;
  onFlushed(answer: FlushAnswer): void;
  onBegun(chunk: number): void;
  onReservedKey(key: string): void;
  /** What was sent is in doubt, nothing can be sent. @returns how many chunks were under way */
  onGone(reason: string): number;
  /** It cannot be initialised, now. */
  onFailed(reason: string): void;
  /** Other chunks may go now. */
  onTurn(): void;
}

interface Member {
  readonly client: HostClient;
  readonly instance: number;
  state: 'new' | 'initialising' | 'ready' | 'failed';
  initFailures: number;
  retryTimer: NodeJS.Timeout | undefined;
}

export interface SharedHostOptions {
  /** Path of the shared object. */
  readonly library: string;
  readonly log: Log;
  readonly pauses: RestartPauses;
  /** Called for a client that has ended the process in its init while others share it: it gets a host of its own. */
  readonly isolate: (client: HostClient) => void;
}

/** Output hosts of one library, one after another: started again with back-off when one ends. */
export class SharedHost {
  readonly #options: SharedHostOptions;
  readonly #members = new Map<number, Member>();
  #nextInstance = 1;
  #process: HostProcess | undefined;
  #pluginName: string | undefined;
  /** Ends in a row without a flush that went well. */
  #failures = 0;
  #restarts = -1;
  #startTimer: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #killedFor: string | undefined;
  #loadProblem: string | undefined;
  #underWay = 0;
  /** Chunks that were under way when the process ended: until they are settled, one flush at a time, to see which it was. */
  readonly #doubted = new Set<string>();
  #closing: (() => void) | undefined;

  constructor(options: SharedHostOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get restarts(): number {
    return Math.max(0, this.#restarts);
  }

  get clients(): readonly HostClient[] {
    return [...this.#members.values()].map(({ client }) => client);
  }

  /** True while it must be found out which chunk ends the process. */
  get isCareful(): boolean {
    return this.#doubted.size > 0;
  }

  /** Adds an instance and answers its number. The process is started soon. */
  attach(client: HostClient): number {
    const instance = this.#nextInstance;
    this.#nextInstance += 1;
    this.#members.set(instance, { client, instance, state: 'new', initFailures: 0, retryTimer: undefined });
    if (this.#process) this.#initNext();
    else this.#startTimer ??= setTimeout(() => this.#start(), 0);
    return instance;
  }

  /** Removes an instance; when it was the last one, ends the process well, or by force after `withinMs`. */
  async detach(instance: number, withinMs: number): Promise<void> {
    const member = this.#members.get(instance);
    clearTimeout(member?.retryTimer);
    if (member && this.#members.size === 1) await this.#close(withinMs);
    this.#forget(instance);
  }

  /** Whether a chunk may be sent, as things stand. */
  mayFlush(): boolean {
    return this.#closing === undefined && (!this.isCareful || this.#underWay === 0);
  }

  flush(request: FlushRequest, documents: readonly Uint8Array[]): void {
    this.#underWay += 1;
    this.#process?.send(request, ...documents);
  }

  /** Ends the process because a call does not come back. */
  killHung(reason: string): void {
    this.#killedFor ??= reason;
    this.#process?.kill();
  }

  /** A chunk that was in doubt came back, or does not come again now. */
  clearDoubt(instance: number, chunk: number): void {
    this.#doubted.delete(`${instance} ${chunk}`);
  }

  /** The chunk was under way when the process ended. */
  doubt(instance: number, chunk: number): void {
    this.#doubted.add(`${instance} ${chunk}`);
  }

  #start(): void {
    this.#startTimer = undefined;
    if (this.#closing || this.#members.size === 0) return;
    this.#restarts += 1;
    this.#killedFor = undefined;
    this.#loadProblem = undefined;
    const clients = this.clients;
    const workers = clients.reduce((sum, { settings }) => sum + settings.workers, SPARE_CALLS);
    const environment = Object.assign({}, ...clients.map(({ settings }) => settings.hostEnvironment));
    this.#process = new HostProcess({
      callsAtOnce: Math.min(CALLS_MOST, workers),
      environment,
      onMessage: (message) => this.#receive(message),
      onLine: (stream, line) => this.#sayLine(stream, line),
      onSkippedLines: (stream, lines) => this.#saySkipped(stream, lines),
      onEnd: (end) => this.#noteEnd(end),
    });
    this.#process.send({ type: 'load', library: this.#options.library });
    this.#watch('loading it');
  }

  #receive(message: FromOutputHost): void {
    switch (message.type) {
      case 'loaded':
        this.#unwatch();
        this.#pluginName = message.name;
        this.#initNext();
        break;
      case 'load-failed':
        this.#unwatch();
        this.#loadProblem = message.reason;
        this.#process?.kill();
        break;
      case 'inited':
        this.#unwatch();
        this.#noteInit(message.instance, message.reason);
        break;
      case 'begun':
        this.#members.get(message.instance)?.client.onBegun(message.chunk);
        break;
      case 'flushed':
        this.#noteFlushed(message);
        break;
      case 'reserved-key':
        this.#members.get(message.instance)?.client.onReservedKey(message.key);
        break;
      case 'said':
        this.#options.log[message.level](
          { library: this.#options.library },
          `${this.#title}: ${message.text}`,
        );
    }
  }

  #noteFlushed(answer: FlushAnswer): void {
    this.#underWay -= 1;
    if (answer.result === 'ok') this.#failures = 0;
    const wasCareful = this.isCareful;
    this.#members.get(answer.instance)?.client.onFlushed(answer);
    if (wasCareful) for (const { client } of this.#members.values()) client.onTurn();
  }

  /** Initialises the next instance that waits for it, one at a time. */
  #initNext(): void {
    if (this.#pluginName === undefined) return;
    const members = [...this.#members.values()];
    if (members.some(({ state }) => state === 'initialising')) return;
    const next = members.find(({ state }) => state === 'new');
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
    this.#process?.send({ type: 'init', instance: next.instance, properties, reservedKeys, workers });
    this.#watch(`FLBPluginInit of ${next.client.alias}`, settings.flushTimeoutMs);
  }

  #noteInit(instance: number, reason: string | undefined): void {
    const member = this.#members.get(instance);
    if (member && reason === undefined) {
      member.state = 'ready';
      member.initFailures = 0;
      member.client.onReady();
    } else if (member) {
      this.#retryInit(member, reason ?? '');
    }
    this.#initNext();
  }

  #retryInit(member: Member, reason: string): void {
    member.state = 'failed';
    member.initFailures += 1;
    const { failureBaseMs, failureCapMs } = this.#options.pauses;
    const delayMs = failureBaseMs + fullJitterMs(member.initFailures, failureBaseMs, failureCapMs);
    member.client.onFailed(`${reason}; it is initialised again in ${seconds(delayMs)}`);
    member.retryTimer = setTimeout(() => {
      member.state = 'new';
      this.#initNext();
    }, delayMs);
    member.retryTimer.unref();
  }

  #noteEnd(end: HostEnd): void {
    this.#unwatch();
    this.#process = undefined;
    this.#pluginName = undefined;
    this.#underWay = 0;
    if (this.#closing) {
      this.#closing();
      return;
    }
    this.#failures += 1;
    const { crashBaseMs, crashCapMs, failureBaseMs, failureCapMs } = this.#options.pauses;
    const delayMs =
      this.#loadProblem === undefined
        ? fullJitterMs(this.#failures, crashBaseMs, crashCapMs)
        : fullJitterMs(this.#failures, failureBaseMs, failureCapMs);
    this.#report(end, delayMs);
    if (this.#members.size > 0) this.#startTimer = setTimeout(() => this.#start(), delayMs);
  }

  #report(end: HostEnd, delayMs: number): void {
    const initialising = [...this.#members.values()].find(({ state }) => state === 'initialising');
    const cause = this.#loadProblem ?? this.#killedFor ?? `its process ended: ${crashReason(end)}`;
    const where = initialising ? ` while ${initialising.client.alias} was initialised` : '';
    const reason = `${cause}${where}`;
    const clients = this.clients;
    let chunks = 0;
    for (const member of this.#members.values()) {
      clearTimeout(member.retryTimer);
      member.state = 'new';
      chunks += member.client.onGone(reason);
    }
    const again = chunks === 0 ? '' : `, and ${chunks} chunks that were under way are delivered again`;
    const tail = this.#loadProblem === undefined ? { stderr: crashTail(end) } : {};
    this.#options.log.error(
      { library: this.#options.library, outputs: clients.map(({ alias }) => alias), chunks, ...tail },
      `${this.#title}: ${reason}; it is started again in ${seconds(delayMs)}${again}`,
    );
    if (initialising && this.#members.size > 1) {
      this.#forget(initialising.instance);
      this.#options.isolate(initialising.client);
    }
  }

  #forget(instance: number): void {
    this.#members.delete(instance);
    for (const name of this.#doubted) if (name.startsWith(`${instance} `)) this.#doubted.delete(name);
  }

  async #close(withinMs: number): Promise<void> {
    clearTimeout(this.#startTimer);
    const hostProcess = this.#process;
    if (!hostProcess || this.#closing) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#options.log.warn(
          { library: this.#options.library },
          `${this.#title}: it does not end within its grace, and is killed`,
        );
        hostProcess.kill();
      }, withinMs);
      this.#closing = () => {
        clearTimeout(timer);
        resolve();
      };
      hostProcess.send({ type: 'close' });
    });
  }

  get #title(): string {
    return `output plugin ${this.#options.library} (${this.clients.map(({ alias }) => alias).join(', ')})`;
  }

  #sayLine(stream: 'stdout' | 'stderr', line: string): void {
    if (!this.#isSaid('info')) return;
    const plugin = this.#pluginName ?? this.#options.library;
    this.#options.log.info(
      { plugin, stream, outputs: this.clients.map(({ alias }) => alias) },
      `${plugin}: ${line}`,
    );
  }

  #saySkipped(stream: 'stdout' | 'stderr', lines: number): void {
    if (!this.#isSaid('warn')) return;
    const plugin = this.#pluginName ?? this.#options.library;
    this.#options.log.warn(
      { plugin, stream, lines },
      `${plugin}: ${lines} more lines on ${stream} were left out here`,
    );
  }

  /** What a library prints is that of all its instances: the one that wants to hear most decides. */
  #isSaid(level: GoOutputSettings['logLevel']): boolean {
    return this.clients.some(({ settings }) => LEVELS.indexOf(settings.logLevel) >= LEVELS.indexOf(level));
  }

  #watch(
    what: string,
    timeoutMs = Math.max(...this.clients.map(({ settings }) => settings.flushTimeoutMs)),
  ): void {
    this.#watchdog = setTimeout(
      () =>
        this.killHung(`${what} did not come back within ${seconds(timeoutMs)}, so its process was killed`),
      timeoutMs,
    );
  }

  #unwatch(): void {
    clearTimeout(this.#watchdog);
  }
}

const LEVELS: readonly GoOutputSettings['logLevel'][] = ['off', 'error', 'warn', 'info', 'debug'];

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
