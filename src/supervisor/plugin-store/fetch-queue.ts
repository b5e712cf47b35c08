import type { CodedError } from '../../shared/coded-error.js';
import type { PluginDefinition } from '../registry/plugin-definition.js';

/** One clone of a plugin, waiting or under way. */
export interface Fetch<T> {
  readonly plugin: PluginDefinition;
  readonly signal: AbortSignal;
  /** True once it asks the server: what is pushed from now on may not be in it. */
  readonly started: boolean;
  /** Never rejects. */
  readonly done: Promise<T>;
}

interface Entry<T> {
  readonly plugin: PluginDefinition;
  readonly abort: AbortController;
  started: boolean;
  done: Promise<T>;
}

/** The work of one clone; `begin` is called when it leaves the queue for good. Must not reject. */
export type FetchWork<T> = (signal: AbortSignal, begin: () => void) => Promise<T>;

/** The clones of one plugin, one after the other. */
export class FetchQueue<T> {
  /** Those that are not done, the one under way first. */
  readonly #entries: Entry<T>[] = [];
  readonly #after: Promise<unknown>;

  /** The first clone waits for `after`, which must not reject. */
  constructor(after: Promise<unknown>) {
    this.#after = after;
  }

  add(plugin: PluginDefinition, work: FetchWork<T>): Promise<T> {
    const abort = new AbortController();
    const previous = this.#entries.at(-1)?.done ?? this.#after;
    const begin = () => {
      entry.started = true;
    };
    const done = previous.then(async () => {
      try {
        return await work(abort.signal, begin);
      } finally {
        this.#entries.splice(this.#entries.indexOf(entry), 1);
      }
    });
    const entry: Entry<T> = { plugin, abort, started: false, done };
    this.#entries.push(entry);
    return done;
  }

  /** The last one that was not given up. */
  get last(): Fetch<T> | undefined {
    const last = this.#entries.at(-1);
    if (last === undefined || last.abort.signal.aborted) return undefined;
    return { plugin: last.plugin, signal: last.abort.signal, started: last.started, done: last.done };
  }

  /** Gives up the clones from any other address. */
  abortOthers(address: string, reason: CodedError): void {
    for (const { plugin, abort } of this.#entries) {
      if (plugin.address !== address) abort.abort(reason);
    }
  }

  /** Gives up all, and waits for those that began; the others notice it when it is their turn. */
  async abortAll(reason: CodedError): Promise<void> {
    for (const { abort } of this.#entries) abort.abort(reason);
    const begun = this.#entries.filter(({ started }) => started);
    await Promise.all(begun.map(({ done }) => done));
  }
}
