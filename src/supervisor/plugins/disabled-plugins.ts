import { z } from 'zod';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import { STATE_FILES } from '../state/state-files.js';
import type { StateFolder } from '../state/state-folder.js';

/** A disabled plugin is enabled again after a day, so that none is forgotten. */
const DISABLED_FOR_MS = 24 * 60 * 60 * 1000;

/** Key of the plugin → when it is enabled again, in unix milliseconds. */
const STATE_SCHEMA = z.record(z.string(), z.number());

/** Which plugins operators have disabled, kept in the state folder. */
export class DisabledPlugins {
  readonly #state: StateFolder;
  readonly #log: Log;
  readonly #now: () => number;
  #until = new Map<string, number>();

  /** @param now unix milliseconds */
  constructor(state: StateFolder, log: Log, now: () => number = Date.now) {
    this.#state = state;
    this.#log = log;
    this.#now = now;
  }

  /** Reads what an earlier life of the agent left. */
  async load(): Promise<void> {
    await this.#state.removeLeftovers(STATE_FILES.disabledPlugins);
    const known = await this.#state.read(STATE_FILES.disabledPlugins, (value) => STATE_SCHEMA.parse(value));
    this.#until = new Map(Object.entries(known ?? {}));
  }

  /** Until when the plugin is disabled; undefined when it is enabled. */
  disabledUntil(key: string): Date | undefined {
    const until = this.#until.get(key);
    return until !== undefined && until > this.#now() ? new Date(until) : undefined;
  }

  /**
   * @returns when it will be enabled again
   * @throws CodedError `state` when it cannot be written down; the plugin is disabled until the agent ends all the same
   */
  async disable(key: string): Promise<Date> {
    const until = this.#now() + DISABLED_FOR_MS;
    this.#until.set(key, until);
    try {
      await this.#save();
    } catch (error) {
      throw new CodedError('state', `${key} is disabled, but only until the agent ends: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    return new Date(until);
  }

  /** @throws CodedError `state` when it cannot be written down */
  async enable(key: string): Promise<void> {
    if (this.#until.delete(key)) await this.#save();
  }

  /** Forgets those whose time is over. */
  async sweep(): Promise<void> {
    const over = [...this.#until].filter(([, until]) => until <= this.#now());
    for (const [key] of over) {
      this.#until.delete(key);
      this.#log.info({ plugin: key }, `${key} was disabled a day ago and is enabled again`);
    }
    if (over.length > 0) await this.#save();
  }

  async #save(): Promise<void> {
    await this.#state.write(STATE_FILES.disabledPlugins, Object.fromEntries(this.#until));
  }
}
