import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reasonOf } from '../../../shared/coded-error.js';
import type { Log } from '../../../shared/log.js';
import type { OutputRecord } from '../outputs/output.js';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

/** Lines that wait for the disk; what comes beyond is not kept. Bytes. */
const WAITING_MOST_BYTES = 4 * 1024 * 1024;

export interface SetAsideFileOptions {
  readonly path: string;
  /** Beyond, the file is renamed to `<path>.1`, in place of the one before, and a new one begun. Bytes. */
  readonly maxBytes: number;
  readonly output: string;
  readonly log: Log;
}

/**
 * Keeps the documents that an output refused for good, for somebody to look at or to post again: a line of JSON each,
 * with the time and the reason. Of the newest, bounded.
 */
export class SetAsideFile {
  readonly #options: SetAsideFileOptions;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  #isFailing = false;

  constructor(options: SetAsideFileOptions) {
    this.#options = options;
  }

  get path(): string {
    return this.#options.path;
  }

  /** Takes a record without waiting; the document is copied. */
  add({ namespace, document }: OutputRecord, reason: string): void {
    if (this.#waitingBytes + document.length > WAITING_MOST_BYTES && this.#waiting.length > 0) return;
    const head = JSON.stringify({ time: new Date().toISOString(), reason, namespace });
    const line = Buffer.concat([Buffer.from(`${head.slice(0, -1)},"document":`), document, LINE_END]);
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    this.#writing ??= this.#writeAll();
  }

  /** Waits for what was added. */
  async close(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // Lets the records of this turn of the event loop come together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const lines = Buffer.concat(this.#waiting);
      this.#waiting = [];
      this.#waitingBytes = 0;
      try {
        await this.#append(lines);
        this.#isFailing = false;
      } catch (thrown) {
        this.#sayFailed(thrown);
      }
    }
    // In the same turn in which nothing waits: what comes right behind begins a write of its own.
    this.#writing = undefined;
  }

  async #append(lines: Buffer): Promise<void> {
    const { path, maxBytes } = this.#options;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0o600);
    let size: number;
    try {
      size = await appendWhole(file, lines);
    } finally {
      await file.close();
    }
    if (size > maxBytes) await rename(path, `${path}.1`);
  }

  #sayFailed(thrown: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    const { path, output, log } = this.#options;
    log.error({ output }, `output ${output}: refused points cannot be kept in ${path}: ${reasonOf(thrown)}`);
  }
}

const LINE_END = Buffer.from('}\n');

/** All of it or nothing; the answer is the size of the file then. */
async function appendWhole(file: FileHandle, bytes: Buffer): Promise<number> {
  const { size } = await file.stat();
  try {
    await file.appendFile(bytes);
  } catch (thrown) {
    await file.truncate(size);
    throw thrown;
  }
  return size + bytes.length;
}
