import { fullJitterMs } from '../../../../shared/back-off.js';
import { counted } from '../../../../shared/counted.js';
import type { Log } from '../../../../shared/log.js';
import type { FlushAnswer, FlushRequest, FromOutputHost } from '../../../../shared/output-host/messages.js';
import { crashReason, crashTail } from './crash-report.js';
import type { HostClient } from './host-client.js';
import { HostInstances } from './host-instances.js';
import { type HostEnd, HostProcess } from './host-process.js';
import { LibraryLog } from './library-log.js';
import type { RestartPauses } from './restart-pauses.js';

/** Threads beside those that flush: for properties, ends and what the library wants else. */
const SPARE_CALLS = 4;
const CALLS_MOST = 512;

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
  readonly #instances: HostInstances;
  readonly #log: LibraryLog;
  #process: HostProcess | undefined;
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
    this.#instances = new HostInstances({
      pauses: options.pauses,
      initialise: (request, { alias, settings }) => {
        this.#process?.send(request);
        this.#watch(`FLBPluginInit of ${alias}`, settings.flushTimeoutMs);
      },
    });
    this.#log = new LibraryLog(options.library, options.log, () => this.clients);
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get restarts(): number {
    return Math.max(0, this.#restarts);
  }

  get clients(): readonly HostClient[] {
    return this.#instances.clients;
  }

  /** True while it must be found out which chunk ends the process. */
  get isCareful(): boolean {
    return this.#doubted.size > 0;
  }

  /** Adds an instance and answers its number. The process is started soon. */
  attach(client: HostClient): number {
    const instance = this.#instances.add(client);
    if (!this.#process) this.#startTimer ??= setTimeout(() => this.#start(), 0);
    return instance;
  }

  /** Removes an instance; when it was the last one, ends the process well, or by force after `withinMs`. */
  async detach(instance: number, withinMs: number): Promise<void> {
    this.#instances.rest(instance);
    if (this.#instances.client(instance) && this.#instances.size === 1) await this.#close(withinMs);
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
    if (this.#closing || this.#instances.size === 0) return;
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
      onLine: (stream, line) => this.#log.sayLine(stream, line),
      onSkippedLines: (stream, lines) => this.#log.saySkipped(stream, lines),
      onEnd: (end) => this.#noteEnd(end),
    });
    this.#process.send({ type: 'load', library: this.#options.library });
    this.#watch('loading it');
  }

  #receive(message: FromOutputHost): void {
    switch (message.type) {
      case 'loaded':
        this.#unwatch();
        this.#log.pluginName = message.name;
        this.#instances.noteLoaded(message.name);
        break;
      case 'load-failed':
        this.#unwatch();
        this.#loadProblem = message.reason;
        this.#process?.kill();
        break;
      case 'inited':
        this.#unwatch();
        this.#instances.noteInit(message.instance, message.reason);
        break;
      case 'begun':
        this.#instances.client(message.instance)?.onBegun(message.chunk);
        break;
      case 'flushed':
        this.#noteFlushed(message);
        break;
      case 'reserved-key':
        this.#instances.client(message.instance)?.onReservedKey(message.key);
        break;
      case 'said':
        this.#log.say(message.level, message.text);
    }
  }

  #noteFlushed(answer: FlushAnswer): void {
    this.#underWay -= 1;
    if (answer.result === 'ok') this.#failures = 0;
    const wasCareful = this.isCareful;
    this.#instances.client(answer.instance)?.onFlushed(answer);
    if (wasCareful) for (const client of this.clients) client.onTurn();
  }

  #noteEnd(end: HostEnd): void {
    this.#unwatch();
    this.#process = undefined;
    this.#log.pluginName = undefined;
    this.#instances.noteEnded();
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
    if (this.#instances.size > 0) this.#startTimer = setTimeout(() => this.#start(), delayMs);
  }

  #report(end: HostEnd, delayMs: number): void {
    const initialising = this.#instances.initialising;
    const cause = this.#loadProblem ?? this.#killedFor ?? `its process ended: ${crashReason(end)}`;
    const where = initialising ? ` while ${initialising.client.alias} was initialised` : '';
    const reason = `${cause}${where}`;
    const outputs = this.clients.map(({ alias }) => alias);
    const chunks = this.#instances.startOver(reason);
    const underWay = counted(chunks, 'chunk that was under way is', 'chunks that were under way are');
    const again = chunks === 0 ? '' : `, and ${underWay} delivered again`;
    const tail = this.#loadProblem === undefined ? { stderr: crashTail(end) } : {};
    this.#log.say('error', `${reason}; it is started again in ${seconds(delayMs)}${again}`, {
      outputs,
      chunks,
      ...tail,
    });
    if (initialising && this.#instances.size > 1) {
      this.#forget(initialising.instance);
      this.#options.isolate(initialising.client);
    }
  }

  #forget(instance: number): void {
    this.#instances.remove(instance);
    for (const name of this.#doubted) if (name.startsWith(`${instance} `)) this.#doubted.delete(name);
  }

  async #close(withinMs: number): Promise<void> {
    clearTimeout(this.#startTimer);
    const hostProcess = this.#process;
    if (!hostProcess || this.#closing) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#log.say('warn', 'it does not end within its grace, and is killed');
        hostProcess.kill();
      }, withinMs);
      this.#closing = () => {
        clearTimeout(timer);
        resolve();
      };
      hostProcess.send({ type: 'close' });
    });
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

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
