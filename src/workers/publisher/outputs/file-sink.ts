import { constants, type FileHandle, open, stat } from 'node:fs/promises';
import { CodedError } from '../../../shared/coded-error.js';
import type { LineSink } from './line-output.js';

/** Read, too, as how the file ends is looked at. Should the path be a named pipe, opening it does not wait for a reader. */
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
const LINE_END = '\n';

/**
 * A file that is appended to. A batch is on the disk when `append` returns; one that fails half way is cut off again,
 * so that the file holds whole lines. A file that was moved away or deleted (log rotation) is opened anew.
 */
export class FileSink implements LineSink {
  readonly name: string;
  #file: FileHandle | undefined;

  constructor(path: string) {
    this.name = path;
  }

  async append(batch: Buffer): Promise<void> {
    const file = await this.#current();
    const { size } = await file.stat();
    try {
      await file.appendFile(batch);
      await file.datasync();
    } catch (thrown) {
      // Where even that fails, the next try finds the file without a line's end and begins a new line.
      await file.truncate(size).catch(() => undefined);
      await this.close();
      throw thrown;
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #current(): Promise<FileHandle> {
    if (this.#file && !(await isAt(this.#file, this.name))) await this.close();
    this.#file ??= await openForLines(this.name);
    return this.#file;
  }
}

/** A file whose last line was cut off, as by the end of whoever wrote it, gets a line's end first. */
async function openForLines(path: string): Promise<FileHandle> {
  const file = await open(path, FLAGS, 0o640);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new CodedError('output-file', 'it is not a regular file; name another path');
    if (stats.size > 0 && (await lastByte(file, stats.size)) !== LINE_END) await file.appendFile(LINE_END);
    return file;
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
}

async function lastByte(file: FileHandle, size: number): Promise<string> {
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer.toString('latin1');
}

async function isAt(file: FileHandle, path: string): Promise<boolean> {
  const [opened, there] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
  return there !== undefined && opened.ino === there.ino && opened.dev === there.dev;
}
