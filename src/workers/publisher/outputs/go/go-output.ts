import type { Log } from '../../../../shared/log.js';
import type { FlushAnswer } from '../../../../shared/output-host/messages.js';
import type { GoOutputSettings } from '../../../../shared/output-settings.js';
import type { GoPluginStatus } from '../../../../shared/output-status.js';
import type { Output, OutputRecord, OutputState, Settle } from '../output.js';
import type { Chunk } from './chunk.js';
import { ChunkCollector } from './chunk-collector.js';
import type { OutputHosts, Seat, SeatedClient } from './output-hosts.js';
import { PluginCounts } from './plugin-counts.js';
import { mayRetry, retryDelayMs } from './retry-rule.js';

/** A chunk that has ended so many processes on its own is set aside. */
const CONVICTIONS_MOST = 10;

/** Of a stop's grace, what flushes may take; the rest is for the plugin's own end. */
const FLUSH_SHARE = 0.6;

/** A chunk that is sent begins soon, or its process is stuck: so many times the time that a flush may take. */
const BEGIN_PATIENCE = 2;

interface UnderWay {
  readonly chunk: Chunk;
  timer: NodeJS.Timeout;
}

/** Hands points to an instance of a Golang output plugin, in chunks, by way of the host process of its library. */
export class GoOutput implements Output, SeatedClient {
  readonly alias: string;
  readonly settings: GoOutputSettings;
  readonly #log: Log;
  readonly #collector: ChunkCollector;
  readonly #counts = new PluginCounts();
  #ready: Chunk[] = [];
  readonly #underWay = new Map<number, UnderWay>();
  readonly #retries = new Map<Chunk, NodeJS.Timeout>();
  #seat: Seat | undefined;
  #state: GoPluginStatus['state'] = 'starting';
  #lastError: string | undefined;
  #hungChunk: number | undefined;
  #hasMoved = 0;
  #graceEndsAt: number | undefined;
  #onDrained: (() => void) | undefined;
  #isClosed = false;

  /** @param alias names it in the log */
  constructor(alias: string, settings: GoOutputSettings, hosts: OutputHosts, log: Log) {
    this.alias = alias;
    this.settings = settings;
    this.#log = log;
    this.#collector = new ChunkCollector(settings.flushMs, (chunk) => this.#take(chunk));
    if (settings.problem === undefined) this.#seat = hosts.seat(this);
    else this.onFailed(settings.problem);
  }

  deliver(record: OutputRecord, settle: Settle): void {
    this.#collector.add(this.settings.topicPrefix + record.namespace, record, settle);
  }

  state(): OutputState {
    const { library } = this.settings;
    return {
      state: `${this.#state}: ${library}`,
      isUp: this.#state === 'running',
      lastError: this.#lastError,
      retriedRecords: this.#counts.retriedRecords,
      plugin: {
        library,
        state: this.#state,
        pid: this.#seat?.host.pid,
        restarts: (this.#seat?.host.restarts ?? 0) + this.#hasMoved,
        ...this.#counts.all,
        retriesWaiting: this.#retries.size,
      },
    };
  }

  hurry(): void {
    this.#graceEndsAt ??= performance.now() + this.settings.graceMs;
    this.#collector.hurry();
  }

  async drain(): Promise<void> {
    this.hurry();
    const isDue = new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    const timer = setTimeout(
      () => this.#onDrained?.(),
      Math.max(0, this.#graceLeftMs - this.settings.graceMs * (1 - FLUSH_SHARE)),
    );
    this.#noteDrained();
    await isDue;
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#state = 'closed';
    this.#collector.drop();
    for (const timer of this.#retries.values()) clearTimeout(timer);
    for (const { timer } of this.#underWay.values()) clearTimeout(timer);
    await this.#seat?.host.detach(this.#seat.instance, this.#graceLeftMs);
  }

  get #graceLeftMs(): number {
    this.#graceEndsAt ??= performance.now() + this.settings.graceMs;
    return Math.max(0, this.#graceEndsAt - performance.now());
  }

  onReady(): void {
    this.#state = 'running';
    this.#log.info({ output: this.alias }, `output ${this.alias}: ${this.settings.library} is ready`);
    this.#pump();
  }

  onTurn(): void {
    this.#pump();
  }

  onMoved(seat: Seat): void {
    this.#seat = seat;
    this.#hasMoved += 1;
  }

  onFailed(reason: string): void {
    this.#state = 'failed';
    this.#lastError = reason;
    this.#log.error(
      { output: this.alias, library: this.settings.library },
      `output ${this.alias}: the plugin ${this.settings.library} cannot work: ${reason}; its points are kept`,
    );
    this.#noteDrained();
  }

  onReservedKey(key: string): void {
    this.#log.warn(
      { output: this.alias, key },
      `output ${this.alias}: the plugin asks for "${key}", which the host keeps for itself, and gets nothing`,
    );
  }

  onBegun(id: number): void {
    const entry = this.#underWay.get(id);
    if (!entry) return;
    clearTimeout(entry.timer);
    entry.timer = this.#watch(id, this.settings.flushTimeoutMs);
  }

  onFlushed(answer: FlushAnswer): void {
    const entry = this.#underWay.get(answer.chunk);
    if (!entry) return;
    clearTimeout(entry.timer);
    this.#underWay.delete(answer.chunk);
    const { chunk } = entry;
    this.#seat?.host.clearDoubt(this.#seat.instance, chunk.id);
    chunk.done = answer.done;
    chunk.refused += answer.refused;
    this.#counts.flushed(answer);
    if (answer.result === 'retry') {
      this.#putOff(chunk, `answered ${answer.reason ?? 'FLB_RETRY'}`);
    } else if (answer.result === 'error') {
      this.#refuse(chunk, `answered ${answer.reason ?? 'FLB_ERROR'}`);
    } else if (chunk.refused > 0) {
      this.#refuse(chunk, 'answered FLB_ERROR to a part of it');
    } else {
      for (const { settle } of chunk.records) settle();
    }
    this.#pump();
    this.#noteDrained();
  }

  onGone(reason: string): number {
    if (this.#state !== 'failed') this.#state = 'restarting';
    this.#lastError = reason;
    const chunks = [...this.#underWay.values()].map(({ chunk }) => chunk);
    for (const { timer } of this.#underWay.values()) clearTimeout(timer);
    this.#underWay.clear();
    const hung = this.#hungChunk;
    this.#hungChunk = undefined;
    const again: Chunk[] = [];
    for (const chunk of chunks) {
      this.#seat?.host.clearDoubt(this.#seat.instance, chunk.id);
      if (chunk.id === hung) this.#putOff(chunk, reason);
      else if (this.#isConvicted(chunk, chunks.length))
        this.#refuse(chunk, `has ended ${chunk.convictions} processes: ${reason}`);
      else again.push(chunk);
    }
    this.#counts.sentAgain(again);
    for (const chunk of again) this.#seat?.host.doubt(this.#seat.instance, chunk.id);
    this.#ready = [...again, ...this.#ready];
    this.#noteDrained();
    return chunks.length;
  }

  /** It was the only one: it has ended the process, in whichever way. */
  #isConvicted(chunk: Chunk, chunksUnderWay: number): boolean {
    if (chunksUnderWay === 1) chunk.convictions += 1;
    return chunk.convictions >= CONVICTIONS_MOST;
  }

  #take(chunk: Chunk): void {
    this.#ready.push(chunk);
    this.#pump();
  }

  /** Sends what may go: one more than are flushed at once, so that the next one is at hand when a flush is over. */
  #pump(): void {
    const seat = this.#seat;
    if (this.#state !== 'running' || !seat) return;
    const most = seat.host.isCareful ? 1 : this.settings.workers + 1;
    while (this.#underWay.size < most && seat.host.mayFlush()) {
      const chunk = this.#ready.shift();
      if (!chunk) return;
      this.#send(chunk, seat);
    }
  }

  #send(chunk: Chunk, { host, instance }: Seat): void {
    const { id, tag, namespace, records, done } = chunk;
    const documents = records.map(({ record }) => record.document);
    const timer = this.#watch(id, this.settings.flushTimeoutMs * (BEGIN_PATIENCE + this.#underWay.size));
    this.#underWay.set(id, { chunk, timer });
    const lengths = documents.map(({ length }) => length);
    const { format } = this.settings;
    host.flush(
      { type: 'flush', instance, chunk: id, tag, namespace, format, documents: lengths, skip: done },
      // One write of a large piece costs less than many of small ones.
      [Buffer.concat(documents)],
    );
  }

  #watch(id: number, timeoutMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#hungChunk = id;
      this.#seat?.host.killHung(
        `a flush of ${this.alias} did not come back within ${timeoutMs / 1000} s, so its process was killed`,
      );
    }, timeoutMs);
  }

  #putOff(chunk: Chunk, reason: string): void {
    chunk.tries += 1;
    this.#lastError = reason;
    if (!mayRetry(this.settings.retryLimit, chunk.tries)) {
      this.#refuse(chunk, `${reason}, the last of ${chunk.tries} tries that Retry_Limit allows`);
      return;
    }
    this.#counts.sentAgain([chunk]);
    const delayMs = retryDelayMs(this.settings, chunk.tries);
    const timer = setTimeout(() => {
      this.#retries.delete(chunk);
      this.#take(chunk);
    }, delayMs);
    this.#retries.set(chunk, timer);
  }

  #refuse(chunk: Chunk, reason: string): void {
    this.#counts.setAside(chunk);
    this.#lastError = reason;
    const sentence = `the plugin ${this.settings.library} ${reason}`;
    // Of a chunk of several records that is refused in part nobody knows which they are.
    const [only] = chunk.records;
    const isPart = chunk.records.length === 1 && chunk.done >= chunk.points && chunk.refused > 0;
    if (only && isPart) only.settle(sentence, chunk.refused);
    else for (const { settle } of chunk.records) settle(sentence);
  }

  /** Nothing is left that a drain waits for: chunks that are put off go to the next start. */
  #noteDrained(): void {
    if (!this.#onDrained || this.#isClosed) return;
    const isStuck = this.#state === 'failed';
    if (isStuck || (this.#underWay.size === 0 && this.#ready.length === 0)) this.#onDrained();
  }
}
