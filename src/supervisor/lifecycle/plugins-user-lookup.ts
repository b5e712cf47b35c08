import { statSync } from 'node:fs';
import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import type { RunAs } from '../plugins/run-as.js';
import { type PluginsUser, resolvePluginsUser } from './plugins-user.js';

/** Who is whom on this machine, and in which groups. */
const LISTS = ['/etc/passwd', '/etc/group'];

/** Knows the user that plugins run as, also one that is only created after the agent has started. */
export class PluginsUserLookup {
  readonly #name: string;
  readonly #allowRoot: boolean;
  readonly #log: Log;
  #found: PluginsUser;
  #listedAt: string;

  /** @throws CodedError `pluginsuser` as `resolvePluginsUser` does */
  constructor(name: string, allowRoot: boolean, log: Log) {
    this.#listedAt = listedAt();
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

  /** Looks again where the user was unknown, or the machine's lists of users and groups have changed. */
  refresh(): void {
    const now = listedAt();
    if (this.#found.kind !== 'unknown' && now === this.#listedAt) return;
    this.#listedAt = now;
    const before = this.#found.kind;
    this.#found = this.#resolveAgain();
    const runAs = this.runAs();
    if ('problem' in runAs && before !== 'unknown')
      this.#log.error({ user: this.#name }, `no plugin can run: ${runAs.problem}`);
    if (before === 'unknown' && this.#found.kind !== 'unknown')
      this.#log.info({ user: this.#name }, `plugins run as ${this.#name} from now on`);
  }

  /** A name that has become root's since the start is nobody's. */
  #resolveAgain(): PluginsUser {
    try {
      return resolvePluginsUser(this.#name, this.#allowRoot);
    } catch (error) {
      this.#log.error({ user: this.#name }, reasonOf(error));
      return { kind: 'unknown', name: this.#name };
    }
  }
}

/** When each of the lists was changed. */
function listedAt(): string {
  return LISTS.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0).join();
}
