import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import writeFileAtomic from 'write-file-atomic';
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';

/** No state of ours comes near this; what is larger is not ours. Bytes. */
const STATE_MAX_BYTES = 256 * 1024 * 1024;

/**
 * The folder of the agent's small JSON files: what it must still know after a restart.
 * A file is replaced as a whole or not at all, and only the agent's user may read it.
 */
export class StateFolder {
  readonly path: string;
  readonly #log: Log;
  /** One after the other, as they come: the last one must be what stays. */
  readonly #inTurn = pLimit(1);

  constructor(path: string, log: Log) {
    this.path = path;
    this.#log = log;
  }

  /**
   * The value of the file `name`, as `check` makes it from the parsed JSON; undefined when there is none.
   * A file that is not JSON, or that `check` throws on, is set aside as `<name>.damaged` and logged: the agent
   * starts without it rather than not at all.
   */
  async read<T>(name: string, check: (value: unknown) => T): Promise<T | undefined> {
    const file = join(this.path, name);
    let text: string;
    try {
      const { size } = await lstat(file);
      if (size > STATE_MAX_BYTES) throw new CodedError('state', `is larger than ${STATE_MAX_BYTES} bytes`);
      text = await readFile(file, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      this.#log.warn({ file }, `cannot read the state file ${file}, going on without it: ${reasonOf(error)}`);
      return undefined;
    }
    try {
      return check(JSON.parse(text));
    } catch (error) {
      await this.#setAside(file, reasonOf(error));
      return undefined;
    }
  }

  /**
   * Puts `value`, as it is now, into the file `name`. Throws CodedError `state` when it cannot; the old content is there
   * then.
   */
  async write(name: string, value: unknown): Promise<void> {
    const text = `${JSON.stringify(value)}\n`;
    await this.#inTurn(() => this.#replace(join(this.path, name), text));
  }

  async #replace(file: string, text: string): Promise<void> {
    try {
      await mkdir(this.path, { recursive: true, mode: 0o700 });
      // The package writes once and does not look at how much of it got written, so on a full disk it would put a
      // cut file in place of the good one. It waits for this hook, where writing goes on to the end or throws.
      await writeFileAtomic(file, '', {
        mode: 0o600,
        tmpfileCreated: (temporary) => writeFile(temporary, text),
      });
    } catch (error) {
      throw new CodedError('state', `cannot write the state file ${file}: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Forgets the file `name`; nothing happens when there is none. */
  async remove(name: string): Promise<void> {
    await rm(join(this.path, name), { force: true });
  }

  /** Removes temporary files of `name` that an agent left when it was killed while writing. */
  async removeLeftovers(name: string): Promise<void> {
    const leftover = (entry: string) =>
      entry.startsWith(`${name}.`) && /^\d+$/.test(entry.slice(name.length + 1));
    try {
      for (const entry of (await readdir(this.path)).filter(leftover)) await this.remove(entry);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      this.#log.warn({ folder: this.path }, `cannot tidy the state folder ${this.path}: ${reasonOf(error)}`);
    }
  }

  async #setAside(file: string, reason: string): Promise<void> {
    const aside = `${file}.damaged`;
    try {
      await rename(file, aside);
      this.#log.warn({ file }, `the state file ${file} is damaged (${reason}); set aside as ${aside}`);
    } catch (error) {
      this.#log.warn({ file }, `the state file ${file} is damaged (${reason}) and stays: ${reasonOf(error)}`);
    }
  }
}
