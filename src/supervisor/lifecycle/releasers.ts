import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';

/**
 * Everything acquired goes on this list with the way to give it back. Shutdown and a start that failed half way are
 * the same thing: the list is worked off from its end.
 */
export class Releasers {
  readonly #log: Log;
  readonly #list: { readonly name: string; readonly release: () => Promise<void> | void }[] = [];
  #releasing: Promise<void> = Promise.resolve();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param name of what is released, for the log when that fails */
  add(name: string, release: () => Promise<void> | void): void {
    this.#list.push({ name, release });
  }

  /**
   * Releases the last first. One that fails is logged and does not keep the others from being released. A further call
   * meanwhile waits for the first.
   */
  async releaseAll(): Promise<void> {
    this.#releasing = this.#releasing.then(() => this.#releaseLeft());
    await this.#releasing;
  }

  async #releaseLeft(): Promise<void> {
    for (let entry = this.#list.pop(); entry; entry = this.#list.pop()) {
      try {
        await entry.release();
      } catch (thrown) {
        this.#log.error({ part: entry.name }, `could not close ${entry.name} properly: ${reasonOf(thrown)}`);
      }
    }
  }
}
