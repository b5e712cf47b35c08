import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError, reasonOf } from '../../../shared/coded-error.js';
import type { Log } from '../../../shared/log.js';
import { Spool } from '../spool/spool.js';
import type { SpoolEntry, SpoolRecord } from '../spool/spool-entry.js';
import type { SpoolOptions, SpoolStats } from '../spool/spool-options.js';

/** A disk that fails is tried again after this. */
export const DISK_RETRY_MS = 1000;

export interface SpoolDiskOptions extends SpoolOptions {
  /** Alias of the output, for the log. */
  readonly output: string;
  readonly log: Log;
  /** Called when the spool is open, which may be long after the start. */
  readonly onOpen: () => void;
  /** Called when a disk that failed takes records again. */
  readonly onRecovered: () => void;
}

const NOTHING: SpoolStats = { records: 0, points: 0, bytes: 0, oldestAt: undefined };

/** The spool of an output on a disk that may be full or away: says so once, and tries again by itself. */
export class SpoolDisk {
  readonly #options: SpoolDiskOptions;
  readonly #opening: Promise<void>;
  readonly #closing = new AbortController();
  /** Resolves when the spool is open, or could not be opened at first. */
  readonly tried: Promise<void>;
  #noteTried: () => void = () => {};
  #spool: Spool | undefined;
  #failedAt: number | undefined;
  #isReadFailing = false;

  constructor(options: SpoolDiskOptions) {
    this.#options = options;
    this.tried = new Promise((resolve) => {
      this.#noteTried = resolve;
    });
    this.#opening = this.#open();
  }

  /** False after a failure, until it is time to try again. */
  get isUsable(): boolean {
    if (this.#closing.signal.aborted) return false;
    return this.#failedAt === undefined || performance.now() - this.#failedAt >= DISK_RETRY_MS;
  }

  /**
   * Stores records behind all others, all of them or none; waits for the first try to open the spool.
   * @returns their ids
   * @throws CodedError when the disk does not take them now; said in the log already
   */
  async append(records: readonly SpoolRecord[]): Promise<number[]> {
    try {
      if (!this.#spool) await this.tried;
      const ids = await this.#opened().append(records);
      this.#noteRecovered();
      return ids;
    } catch (thrown) {
      this.#noteFailed(thrown);
      throw thrown;
    }
  }

  /** Records behind an id, as `Spool.read`; undefined while the disk cannot be read, which is said. */
  async read(afterId: number, maxBytes: number): Promise<SpoolEntry[] | undefined> {
    try {
      const entries = await this.#opened().read(afterId, maxBytes);
      this.#isReadFailing = false;
      return entries;
    } catch (thrown) {
      this.#noteReadFailed(thrown);
      return undefined;
    }
  }

  /** True for a record that is on disk and not acknowledged. */
  has(id: number): boolean {
    return this.#spool?.has(id) ?? false;
  }

  acknowledge(ids: readonly number[]): void {
    this.#spool?.acknowledge(ids);
  }

  stats(): SpoolStats {
    return this.#spool?.stats() ?? NOTHING;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#opening;
    await this.#spool?.close();
  }

  #opened(): Spool {
    if (this.#spool) return this.#spool;
    throw new CodedError('spool-folder', `the spool in ${this.#options.folder} is not open`);
  }

  async #open(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        this.#spool = await Spool.open(this.#options);
        this.#noteRecovered();
        this.#options.onOpen();
        return;
      } catch (thrown) {
        this.#noteFailed(thrown);
      } finally {
        this.#noteTried();
      }
      await sleep(DISK_RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #noteFailed(thrown: unknown): void {
    const isFirst = this.#failedAt === undefined;
    this.#failedAt = performance.now();
    if (!isFirst || this.#closing.signal.aborted) return;
    const { output, log } = this.#options;
    log.error(
      { output },
      `output ${output}: points cannot wait on disk, they wait in memory as far as it goes: ${reasonOf(thrown)}`,
    );
  }

  #noteReadFailed(thrown: unknown): void {
    if (this.#isReadFailing || this.#closing.signal.aborted) return;
    this.#isReadFailing = true;
    const { output, log } = this.#options;
    log.error(
      { output },
      `output ${output}: what waits on disk cannot be read and is tried again: ${reasonOf(thrown)}`,
    );
  }

  #noteRecovered(): void {
    if (this.#failedAt === undefined) return;
    this.#failedAt = undefined;
    const { output, log, onRecovered } = this.#options;
    log.info({ output }, `output ${output}: points can wait on disk again`);
    onRecovered();
  }
}
