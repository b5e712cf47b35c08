import { lstat, rename, truncate } from 'node:fs/promises';
import { codeOf, reasonOf } from '../../../shared/coded-error.js';
import { createNew, openForReading, readAt, wholeBlocks, writeAt } from './spool-file.js';
import type { SpoolFolder } from './spool-folder.js';

const SUFFIX = '.damaged';

/** Files kept, besides the bound in bytes. */
const MAX_FILES = 16;

const COPY_BYTES = 1024 * 1024;

interface KeptFile {
  readonly file: string;
  readonly bytes: number;
}

/** Keeps what is damaged for somebody to look at, within bounds: the oldest goes first. */
export class SetAside {
  readonly #folder: SpoolFolder;
  readonly #maxBytes: number;
  readonly #kept: KeptFile[] = [];

  constructor(folder: SpoolFolder, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /** Bytes on disk of all that is kept. */
  get bytes(): number {
    return this.#kept.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** What these bytes take from the bound of the spool. */
  get reservedBytes(): number {
    return this.#kept.reduce((sum, { bytes }) => sum + wholeBlocks(bytes), 0);
  }

  static isSetAside(file: string): boolean {
    return file.includes(SUFFIX);
  }

  /** Takes over what an earlier process set aside. */
  async adopt(files: readonly string[]): Promise<void> {
    const found = [];
    for (const file of files) {
      const { size, mtimeMs } = await lstat(this.#folder.file(file));
      found.push({ file, bytes: size, mtimeMs });
    }
    found.sort((one, other) => one.mtimeMs - other.mtimeMs);
    for (const { file, bytes } of found) this.#kept.push({ file, bytes });
    await this.#makeRoom(0);
  }

  /**
   * Copies a damaged part of a file, at most as much as is kept at all.
   * @returns what became of it, for the end of a sentence
   */
  async copyPart(file: string, start: number, end: number): Promise<string> {
    const bytes = Math.min(end - start, this.#maxBytes);
    const name = await this.#freeName(`${file}${SUFFIX}-${start}`);
    try {
      await this.#makeRoom(bytes);
      await this.#copy(file, name, start, bytes);
    } catch (error) {
      await this.#folder.remove(name);
      return `it could not be set aside: ${reasonOf(error)}`;
    }
    this.#kept.push({ file: name, bytes });
    return `set aside as ${this.#folder.file(name)}`;
  }

  /** Sets a whole file aside under another name, or whatever else is in its place; as `copyPart` otherwise. */
  async moveWhole(file: string): Promise<string> {
    const name = await this.#freeName(`${file}${SUFFIX}`);
    try {
      const found = await lstat(this.#folder.file(file));
      await rename(this.#folder.file(file), this.#folder.file(name));
      const bytes = Math.min(found.size, this.#maxBytes);
      if (found.isFile() && bytes < found.size) await truncate(this.#folder.file(name), bytes);
      await this.#makeRoom(bytes);
      this.#kept.push({ file: name, bytes });
    } catch (error) {
      return `it could not be set aside: ${reasonOf(error)}`;
    }
    return `set aside as ${this.#folder.file(name)}`;
  }

  /** Removes what was set aside first; false when there is nothing. Who reads and who writes may need room at once. */
  async removeOldest(): Promise<boolean> {
    const oldest = this.#kept.shift();
    if (!oldest) return false;
    try {
      await this.#folder.remove(oldest.file);
    } catch (error) {
      this.#kept.unshift(oldest);
      throw error;
    }
    return true;
  }

  async #makeRoom(bytes: number): Promise<void> {
    while (this.#kept.length >= MAX_FILES || this.bytes + bytes > this.#maxBytes) {
      if (!(await this.removeOldest())) return;
    }
  }

  async #copy(file: string, name: string, start: number, bytes: number): Promise<void> {
    const source = await openForReading(this.#folder.file(file));
    try {
      const target = await createNew(this.#folder.file(name));
      try {
        for (let done = 0; done < bytes; done += COPY_BYTES) {
          const part = await readAt(source, start + done, Math.min(COPY_BYTES, bytes - done));
          await writeAt(target, done, [part]);
        }
      } finally {
        await target.close();
      }
    } finally {
      await source.close();
    }
  }

  async #freeName(wanted: string): Promise<string> {
    for (let number = 1; ; number += 1) {
      const name = number === 1 ? wanted : `${wanted}-${number}`;
      try {
        await lstat(this.#folder.file(name));
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return name;
        throw error;
      }
    }
  }
}
