import type { Log } from '../../shared/log.js';
import type { RunAs } from '../plugins/run-as.js';
import { type PluginsUser, resolvePluginsUser } from './plugins-user.js';

/** Knows the user that plugins run as, also one that is only created after the agent has started. */
export class PluginsUserLookup {
  readonly #name: string;
  readonly #allowRoot: boolean;
  readonly #log: Log;
  #found: PluginsUser;

  /** @throws CodedError `pluginsuser` as `resolvePluginsUser` does */
  constructor(name: string, allowRoot: boolean, log: Log) {
    this.#name = name;
    this.#allowRoot = allowRoot;
    this.#log = log;
    this.#found = resolvePluginsUser(name, allowRoot);
    const runAs = this.runAs();
    if ('problem' in runAs) log.error({ user: name }, `no plugin can run: ${runAs.problem}`);
  }

  runAs(): RunAs {
    if (this.#found.kind === 'own') return { user: undefined };
    if (this.#found.kind === 'other') return { user: this.#found.user };
    return {
      problem: `[agent] pluginsuser "${this.#name}" is unknown on this machine; create it, then call /update`,
    };
  }

  /** Looks again where the user was unknown. */
  refresh(): void {
    if (this.#found.kind !== 'unknown') return;
    this.#found = resolvePluginsUser(this.#name, this.#allowRoot);
    if (this.#found.kind !== 'unknown')
      this.#log.info({ user: this.#name }, `plugins run as ${this.#name} from now on`);
  }
}
