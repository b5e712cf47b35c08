import { counted } from '../../shared/counted.js';
import type { Log } from '../../shared/log.js';
import { quoted } from '../../shared/quoted.js';
import type { RegistryProblem } from './registry-view.js';

/** Lines for one sync: a registry gone wrong must not fill the log. */
const LINES_MAX = 100;
/** Characters of a foreign name in a line. */
const SHOWN_MAX = 100;

/**
 * Logs what the registry said and the agent does not follow: each problem when it comes up, not at every sync for
 * as long as it stays.
 */
export class ProblemLog {
  readonly #log: Log;
  #said: ReadonlySet<string> = new Set();

  constructor(log: Log) {
    this.#log = log;
  }

  /** `problems` are all that there are now. */
  say(problems: readonly RegistryProblem[]): void {
    const now = new Map(problems.map((problem) => [keyOf(problem), problem]));
    const fresh = [...now].filter(([key]) => !this.#said.has(key));
    for (const [, problem] of fresh.slice(0, LINES_MAX)) this.#write(problem);
    if (fresh.length > LINES_MAX) {
      this.#log.warn({}, `registry: ${counted(fresh.length - LINES_MAX, 'more problem')} like these`);
    }
    this.#said = new Set(now.keys());
  }

  #write({ namespace, name, reason }: RegistryProblem): void {
    const place =
      namespace === undefined ? 'registry' : `registry, namespace ${quoted(namespace, SHOWN_MAX)}`;
    const item = name === undefined ? '' : `, item ${quoted(name, SHOWN_MAX)}`;
    this.#log.warn({ namespace, item: name }, `${place}${item}: ${reason}`);
  }
}

function keyOf({ namespace, name, reason }: RegistryProblem): string {
  return JSON.stringify([namespace, name, reason]);
}
