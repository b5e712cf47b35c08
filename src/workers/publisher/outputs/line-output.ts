import { setTimeout as sleep } from 'node:timers/promises';
import { fullJitterMs } from '../../../shared/back-off.js';
import { reasonOf } from '../../../shared/coded-error.js';
import type { Log } from '../../../shared/log.js';
import type { Output, OutputRecord, OutputState, Settle } from './output.js';

/**
 * Something that whole lines can be appended to. A batch is written whole or, when it throws, counts as not written; the
 * same batch is brought again then.
 */
export interface LineSink {
  /** For log and status: `stdout`, or the file's path. */
  readonly name: string;
  /** @param closing aborted when nobody waits for the batch any more */
  append(batch: Buffer, closing: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

interface WaitingRecord {
  readonly document: Buffer;
  readonly settle: Settle;
}

const BATCH_BYTES_MAX = 1024 * 1024;
const RETRY_BASE_MS = 100;
const RETRY_CAP_MS = 10_000;
const LINE_END = Buffer.from('\n');

/** Writes each points document as a line. While one batch is written the next one gathers. */
export class LineOutput implements Output {
  readonly #alias: string;
  readonly #sink: LineSink;
  readonly #log: Log;
  readonly #closing = new AbortController();
  #waiting: WaitingRecord[] = [];
  #writing: Promise<void> | undefined;
  #lastError: string | undefined;
  #isFailing = false;
  #retriedRecords = 0;

  /** @param alias names it in the log */
  constructor(alias: string, sink: LineSink, log: Log) {
    this.#alias = alias;
    this.#sink = sink;
    this.#log = log;
  }

  deliver(record: OutputRecord, settle: Settle): void {
    this.#waiting.push({ document: record.document, settle });
    this.#writing ??= this.#writeAll();
  }

  state(): OutputState {
    return {
      state: this.#isFailing ? `cannot write to ${this.#sink.name}` : `writing to ${this.#sink.name}`,
      isUp: !this.#isFailing,
      lastError: this.#lastError,
      retriedRecords: this.#retriedRecords,
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing;
    await this.#sink.close();
  }

  async #writeAll(): Promise<void> {
    // Lets the records of this turn of the event loop come together.
    await Promise.resolve();
    while (this.#waiting.length > 0 && !this.#closing.signal.aborted) {
      const batch = this.#takeBatch();
      const lines = Buffer.concat(batch.flatMap(({ document }) => [document, LINE_END]));
      if (!(await this.#append(lines, batch.length))) break;
      for (const { settle } of batch) settle();
    }
    this.#writing = undefined;
  }

  #takeBatch(): WaitingRecord[] {
    let bytes = 0;
    let count = 0;
    for (const { document } of this.#waiting) {
      if (count > 0 && bytes + document.length > BATCH_BYTES_MAX) break;
      bytes += document.length;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** Tries until it is written; false when the output was closed before. */
  async #append(lines: Buffer, records: number): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#sink.append(lines, this.#closing.signal);
        this.#sayRecovered();
        return true;
      } catch (thrown) {
        if (this.#closing.signal.aborted) return false;
        this.#sayFailed(thrown);
        if (!(await this.#pause(fullJitterMs(attempt, RETRY_BASE_MS, RETRY_CAP_MS)))) return false;
        this.#retriedRecords += records;
      }
    }
  }

  async #pause(ms: number): Promise<boolean> {
    await sleep(ms, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    return !this.#closing.signal.aborted;
  }

  #sayFailed(thrown: unknown): void {
    this.#lastError = reasonOf(thrown);
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#log.error(
      { output: this.#alias },
      `cannot write points to ${this.#sink.name}: ${this.#lastError}; they are kept and tried again`,
    );
  }

  #sayRecovered(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#log.info({ output: this.#alias }, `writing points to ${this.#sink.name} again`);
  }
}
