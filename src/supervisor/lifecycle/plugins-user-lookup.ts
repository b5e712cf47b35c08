import { statSync } from 'node:fs';
import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import type { RunAs } from '../plugins/run-as.js';
import { type PluginsUser, resolvePluginsUser } from './plugins-user.js';

/** Knows the user that plugins run as, also one that is only created after the agent has started. */
export class PluginsUserLookup {
  readonly #name: string;
  readonly #allowRoot: boolean;
  readonly #log: Log;
  readonly #userList: string;
  #found: PluginsUser;
  #listedAtMs: number;

  /** @throws CodedError `pluginsuser` as `resolvePluginsUser` does */
  constructor(name: string, allowRoot: boolean, log: Log, userList = '/etc/passwd') {
    this.#userList = userList;
    this.#listedAtMs = changedAtMs(userList);
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

  /** Looks again where the user was unknown, or the machine's list of users has changed. */
  refresh(): void {
    const listedAtMs = changedAtMs(this.#userList);
    if (this.#found.kind !== 'unknown' && listedAtMs === this.#listedAtMs) return;
    this.#listedAtMs = listedAtMs;
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

function changedAtMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
