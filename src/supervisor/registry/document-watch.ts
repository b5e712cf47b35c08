import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from '../../shared/coded-error.js';

/** Editors write in several steps; the document is looked at when they had time to finish. */
const SETTLE_MS = 100;
/**
 * How often the document is looked at without being told: for changes behind a symbolic link, on file systems
 * that tell nothing, and when its folder was replaced.
 */
const LOOK_AGAIN_MS = 2000;

/**
 * Watches a file that may be rewritten, replaced by renaming, removed and created again, and calls `changed`
 * after each time. It is the folder that is watched, since a replaced file is another file.
 */
export class DocumentWatch {
  readonly #path: string;
  readonly #changed: () => void;
  readonly #lookAgain: NodeJS.Timeout;
  #watcher: FSWatcher | undefined;
  #settling: NodeJS.Timeout | undefined;
  #seen: string;

  /** `lookAgainMs`: how often the document is looked at without being told. */
  constructor(path: string, changed: () => void, lookAgainMs = LOOK_AGAIN_MS) {
    this.#path = path;
    this.#changed = changed;
    this.#seen = this.#look();
    this.#watchFolder();
    this.#lookAgain = setInterval(() => {
      this.#watchFolder();
      this.#compare();
    }, lookAgainMs).unref();
  }

  /** No `changed` comes after it. */
  close(): void {
    clearInterval(this.#lookAgain);
    clearTimeout(this.#settling);
    this.#dropWatcher();
  }

  #watchFolder(): void {
    if (this.#watcher !== undefined) return;
    try {
      // Unwatched links may lie in between, so every event in the folder is a reason to look.
      this.#watcher = watch(dirname(this.#path), { persistent: false }, (event) => {
        // The folder itself may be the one that was renamed or removed: the watcher would stay with the old one.
        if (event === 'rename') this.#dropWatcher();
        this.#lookSoon();
      });
      this.#watcher.on('error', () => this.#dropWatcher());
    } catch {
      // No folder, or no watches left on this machine: looking again from time to time must do.
      this.#watcher = undefined;
    }
  }

  #dropWatcher(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #lookSoon(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#watchFolder();
      this.#compare();
    }, SETTLE_MS).unref();
  }

  #compare(): void {
    const now = this.#look();
    if (now === this.#seen) return;
    this.#seen = now;
    this.#changed();
  }

  /** What tells one content of the document from the next. */
  #look(): string {
    try {
      const { ino, size, mtimeNs, ctimeNs } = statSync(this.#path, { bigint: true });
      return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
    } catch (error) {
      return codeOf(error) ?? 'unreadable';
    }
  }
}
