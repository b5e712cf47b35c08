import type { FileHandle } from 'node:fs/promises';
import { readAt } from './spool-file.js';

/** Read from the file at a time, and the most that is kept of it, as long as nothing larger is asked for. Bytes. */
const WINDOW_BYTES = 1024 * 1024;

/** Reads a file of any length from front to back in little memory. */
export class FileWindow {
  readonly size: number;
  readonly #file: FileHandle;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** At least `length` bytes from `position` on, fewer only where the file ends. A view until the next call. */
  async from(position: number, length: number): Promise<Buffer> {
    const end = Math.min(position + length, this.size);
    if (position < this.#start || end > this.#start + this.#bytes.length) {
      this.#bytes = await readAt(this.#file, position, Math.max(WINDOW_BYTES, end - position));
      this.#start = position;
    }
    return this.#bytes.subarray(position - this.#start);
  }
}
