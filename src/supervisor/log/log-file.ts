import { constants } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createStream, type RotatingFileStream } from 'rotating-file-stream';
import { fullJitterMs } from '../../shared/back-off.js';
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import { isOverWithin } from '../../shared/within.js';

/** Where the file is, and how it is rotated. */
export interface LogFileOptions {
  /** Folder of `agent.log`; made where it is missing. */
  readonly folder: string;
  /** Bytes at which the file is rotated. */
  readonly rotateSize: number;
  /** Rotated files that are kept: `agent.log.1` is the newest. */
  readonly rotateCount: number;
  /** Bounds of the wait before the file is tried again. */
  readonly retryBaseMs?: number | undefined;
  readonly retryCapMs?: number | undefined;
}

/** Hears how the file fares. */
export interface LogFileListener {
  /** The file cannot be written; said once, until it can again. */
  failed(reason: string): void;
  /** All that waited is written, after a failure or after lines had to be dropped. */
  recovered(droppedLines: number): void;
}

/** Lines that wait for the file. As many bytes bridge a short trouble; more would only be memory. */
const WAITING_BYTES_MAX = 1_048_576;
const CHUNK_BYTES_MAX = 262_144;
/** How long lines may go into a file that somebody has removed or moved. */
const SAME_FILE_CHECK_MS = 1_000;
const CLOSE_WAIT_MS = 2_000;

/** The log's file, and by what to know it again. */
interface OpenFile {
  readonly stream: RotatingFileStream;
  readonly device: number;
  readonly inode: number;
}

/**
 * The owner of `agent.log`. Writing to it never throws, never waits and never takes more than a bounded amount of
 * memory: what the file cannot take is counted, and the file tried again from time to time.
 */
export class LogFile {
  readonly path: string;
  readonly #options: LogFileOptions;
  readonly #listener: LogFileListener;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #file: OpenFile | undefined;
  /** Bytes in the file, for cutting chunks where the rotation will be. */
  #size = 0;
  #checkedAt = 0;
  /** The open file has become `agent.log.1`. */
  #rotated = false;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #draining: Promise<void> | undefined;
  #closing: Promise<number> | undefined;
  #closed = false;

  constructor(options: LogFileOptions, listener: LogFileListener) {
    this.path = join(options.folder, 'agent.log');
    this.#options = options;
    this.#listener = listener;
  }

  /** Takes a line, its newline included. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#closed || this.#waitingBytes + bytes > WAITING_BYTES_MAX) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += bytes;
    if (this.#retry === undefined) this.#draining ??= this.#drain();
  }

  /** Writes what waits, in a bounded time, and closes the file. Gives the number of lines that are lost. */
  close(): Promise<number> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<number> {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#waiting.length > 0) this.#draining ??= this.#drain();
    if (this.#draining !== undefined) await isOverWithin(CLOSE_WAIT_MS, this.#draining);
    this.#closed = true;
    await isOverWithin(CLOSE_WAIT_MS, this.#release());
    return this.#dropped + this.#waiting.length;
  }

  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0 && !this.#closed) {
        await this.#writeChunk(await this.#currentFile());
        this.#succeeded();
      }
    } catch (error) {
      await this.#fail(error);
    } finally {
      this.#draining = undefined;
    }
  }

  async #writeChunk({ stream }: OpenFile): Promise<void> {
    const lines = this.#take();
    try {
      await new Promise<void>((done, failed) => {
        stream.write(lines.join(''), (error) => (error ? failed(error) : done()));
      });
    } catch (error) {
      // Not written again: when it was the rotation that failed, they are in the file already.
      this.#dropped += lines.length;
      throw error;
    }
  }

  /** As many lines as reach the rotation, so that a file is longer than wanted by one line at most. */
  #take(): readonly string[] {
    const room = Math.min(this.#options.rotateSize - this.#size, CHUNK_BYTES_MAX);
    let bytes = 0;
    let count = 0;
    for (const line of this.#waiting) {
      if (count > 0 && bytes >= room) break;
      bytes += Buffer.byteLength(line);
      count++;
    }
    this.#waitingBytes -= bytes;
    this.#size += bytes;
    return this.#waiting.splice(0, count);
  }

  #succeeded(): void {
    if (this.#waiting.length > 0 || (this.#failures === 0 && this.#dropped === 0)) return;
    const dropped = this.#dropped;
    this.#failures = 0;
    this.#dropped = 0;
    this.#listener.recovered(dropped);
  }

  async #fail(error: unknown): Promise<void> {
    await this.#release();
    this.#failures++;
    if (this.#failures === 1) this.#listener.failed(reasonOf(error));
    if (this.#closing !== undefined) return;
    const { retryBaseMs = 2_000, retryCapMs = 60_000 } = this.#options;
    this.#retry = setTimeout(
      () => {
        this.#retry = undefined;
        if (this.#waiting.length > 0) this.#draining ??= this.#drain();
      },
      fullJitterMs(this.#failures, retryBaseMs, retryCapMs),
    ).unref();
  }

  /** The open file; opened anew when it was rotated, is not there any more, or another is in its place. */
  async #currentFile(): Promise<OpenFile> {
    if (this.#file !== undefined && !(await this.#isCurrent(this.#file))) await this.#release();
    this.#file ??= await this.#open();
    return this.#file;
  }

  async #isCurrent(file: OpenFile): Promise<boolean> {
    if (file.stream.destroyed || this.#rotated) return false;
    if (performance.now() - this.#checkedAt < SAME_FILE_CHECK_MS) return true;
    this.#checkedAt = performance.now();
    try {
      const found = await stat(this.path);
      return found.dev === file.device && found.ino === file.inode;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async #open(): Promise<OpenFile> {
    const { folder, rotateSize, rotateCount } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o750 });
    const stream = createStream('agent.log', {
      path: folder,
      size: `${rotateSize}B`,
      rotate: rotateCount,
      mode: 0o640,
    });
    try {
      await new Promise<void>((done, failed) => {
        stream.once('open', () => done());
        // Stays: a later error reaches the callback of the write that met it, and must not end the process.
        stream.on('error', failed);
      });
      stream.on('rotated', () => {
        this.#rotated = true;
      });
      const { dev, ino, size } = await stat(this.path);
      await endLastLine(this.path);
      this.#rotated = false;
      this.#size = size;
      this.#checkedAt = performance.now();
      return { stream, device: dev, inode: ino };
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  async #release(): Promise<void> {
    const stream = this.#file?.stream;
    this.#file = undefined;
    if (stream === undefined || stream.destroyed) return;
    await new Promise<void>((done) => {
      stream.once('close', done);
      stream.end(() => stream.destroy());
    });
  }
}

/**
 * A disk that became full can have taken the beginning of a line: the next one must not stand behind it. All that is
 * asked is asked of one open file, as somebody may move the log away, and another begin in its place, at any moment.
 */
async function endLastLine(path: string): Promise<void> {
  const file = await open(path, constants.O_RDWR | constants.O_APPEND);
  try {
    const { size } = await file.stat();
    if (size === 0) return;
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
    if (buffer.toString() !== '\n') await file.write('\n');
  } finally {
    await file.close();
  }
}
