import { readdirSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { childrenOfRow, type NotedChild, rowCount } from '../../shared/child-table.js';
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import { type CLibrary, cLibrary } from '../../shared/native/c-library.js';
import { becomeSubreaper, someChildEnded, takeChildEnd } from '../../shared/native/process-calls.js';

const LOOK_EVERY_MS = 2000;
/** What has ended counts among the processes of its plugin until its end is taken: the next run may be short of them. */
const TAKE_EVERY_MS = 200;
/** Node.js takes the ends of its own children as soon as it hears of them; one that waits longer is nobody's. */
const ZOMBIE_LOOKS = 3;
/** At the end. Whoever starts ever new ones is not worth more. */
const LAST_LOOKS = 10;
/** Who has just been ended may take a moment to leave its children behind. */
const LAST_EMPTY_LOOKS = 3;
const BETWEEN_LAST_LOOKS_MS = 20;

/** What of a process is looked at. */
interface ProcessFacts {
  readonly pid: number;
  readonly state: string;
  readonly session: number;
  /** Clock ticks from boot to its start. */
  readonly startTicks: number;
}

/** A living process, and what its environment says of the plugin that it belongs to. */
interface Member extends ProcessFacts {
  /** State folder of the plugin: no two have the same. */
  readonly stateFolder: string | undefined;
  readonly plugin: string | undefined;
}

/**
 * Looks after processes that have lost their parent: the kernel makes those among the agent's descendants its children.
 * A daemon that a plugin has left behind is ended when no run is left that may have started it. Best effort: where each
 * plugin has a cgroup, that is what ends them.
 */
export class Orphans {
  readonly #library: CLibrary;
  readonly #childTable: SharedArrayBuffer;
  readonly #pluginsUid: () => number | undefined;
  readonly #log: Log;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #ownSession = factsOf(process.pid)[0]?.session;
  /** In how many looks in a row a child was there that has ended. */
  #zombies = new Map<number, number>();
  /** Left behind, as far as the last look could tell. */
  #suspects = new Set<number>();

  /** Undefined where the C library cannot be called: then orphans go to the system's first process, as ever. */
  static open(options: {
    readonly childTable: SharedArrayBuffer;
    /** Whom plugins run as now; undefined where that is the agent's own user. */
    readonly pluginsUid: () => number | undefined;
    readonly log: Log;
  }): Orphans | undefined {
    const { library } = cLibrary();
    if (library === undefined) return undefined;
    try {
      becomeSubreaper(library);
      return new Orphans(library, options);
    } catch (error) {
      options.log.warn({}, `daemons that plugins leave behind are not looked for: ${reasonOf(error)}`);
      return undefined;
    }
  }

  private constructor(
    library: CLibrary,
    {
      childTable,
      pluginsUid,
      log,
    }: {
      readonly childTable: SharedArrayBuffer;
      readonly pluginsUid: () => number | undefined;
      readonly log: Log;
    },
  ) {
    this.#library = library;
    this.#childTable = childTable;
    this.#pluginsUid = pluginsUid;
    this.#log = log;
    this.#timers = [
      setInterval(() => this.look(), LOOK_EVERY_MS),
      setInterval(() => this.takeOrphansEnds(), TAKE_EVERY_MS),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  /** Takes the ends of orphans that have ended, and ends those that no run can have anything to do with any more. */
  look(): void {
    const runs = this.#runs();
    const orphans = ownChildren()
      .filter((pid) => !runs.some((run) => run.pid === pid))
      .flatMap(factsOf);
    this.#takeEnds(orphans.filter(({ state }) => state === 'Z'));
    const alive = orphans.filter(({ state }) => state !== 'Z' && state !== 'X').map(memberOf);
    const running = alive.length === 0 ? [] : runs.flatMap(({ pid }) => factsOf(pid)).map(memberOf);
    const left = alive.filter((orphan) => isLeftBehind(orphan, running) && this.#isPlugins(orphan));
    // What was just started may not be in the table yet.
    this.#tell(left.filter(({ pid }) => this.#suspects.has(pid) && this.#end(pid)));
    this.#suspects = new Set(left.map(({ pid }) => pid));
  }

  /** Takes the ends of those that are orphans for certain: what the agent starts is in its session, or leads one. */
  takeOrphansEnds(): void {
    if (!someChildEnded(this.#library)) return;
    for (const { pid, state, session } of ownChildren().flatMap(factsOf)) {
      const isOrphan = session !== pid && session !== this.#ownSession;
      if (state === 'Z' && isOrphan) takeChildEnd(this.#library, pid);
    }
  }

  /** To be called when no run is left: ends what is there of orphans, and of those that lose their parent by that. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (let look = 0, empty = 0; look < LAST_LOOKS && empty < LAST_EMPTY_LOOKS; look += 1) {
      this.look();
      empty = this.#suspects.size === 0 ? empty + 1 : 0;
      await sleep(BETWEEN_LAST_LOOKS_MS);
    }
  }

  #runs(): readonly NotedChild[] {
    const rows = Array.from({ length: rowCount(this.#childTable) }, (_, row) => row);
    return rows.flatMap((row) => childrenOfRow(this.#childTable, row));
  }

  #takeEnds(zombies: readonly ProcessFacts[]): void {
    const seen = new Map<number, number>();
    for (const { pid } of someChildEnded(this.#library) ? zombies : []) {
      const looks = (this.#zombies.get(pid) ?? 0) + 1;
      if (looks < ZOMBIE_LOOKS) seen.set(pid, looks);
      else takeChildEnd(this.#library, pid);
    }
    this.#zombies = seen;
  }

  /** Git leaves processes behind, too: what is not a plugin's is left alone. */
  #isPlugins({ pid, plugin }: Member): boolean {
    const uid = this.#pluginsUid();
    if (uid === undefined) return plugin !== undefined;
    try {
      return statSync(`/proc/${pid}`).uid === uid;
    } catch {
      return false;
    }
  }

  /** Whether it could be ended. */
  #end(pid: number): boolean {
    try {
      return process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (codeOf(error) !== 'ESRCH')
        this.#log.warn({ pid }, `process ${pid} cannot be ended: ${reasonOf(error)}`);
      return false;
    }
  }

  /** A line for each plugin: it may have left very many. */
  #tell(ended: readonly Member[]): void {
    for (const plugin of new Set(ended.map((member) => member.plugin))) {
      const pids = ended.filter((member) => member.plugin === plugin).map(({ pid }) => pid);
      const who = plugin === undefined ? 'a plugin' : `plugin ${plugin}`;
      const what = pids.length === 1 ? `process ${pids[0]}` : `${pids.length} processes`;
      this.#log.warn(
        { pids },
        `${who} left ${what} behind, which ${pids.length === 1 ? 'was' : 'were'} ended`,
      );
    }
  }
}

/** No run is left that is as old as the orphan is and may be of its plugin, and none leads its session. */
function isLeftBehind(orphan: Member, running: readonly Member[]): boolean {
  return !running.some(
    (run) => run.pid === orphan.session || (run.startTicks <= orphan.startTicks && mayBeOfOne(run, orphan)),
  );
}

/** Unless both say that they are not: a run that never ends must not keep what all the others leave behind. */
function mayBeOfOne({ stateFolder: one }: Member, { stateFolder: other }: Member): boolean {
  return one === undefined || other === undefined || one === other;
}

function memberOf(facts: ProcessFacts): Member {
  const variables = readOr(`/proc/${facts.pid}/environ`, 'utf8').split('\0');
  const textOf = (name: string) => variables.find((text) => text.startsWith(name))?.slice(name.length);
  return { ...facts, stateFolder: textOf('AGENT_STATE='), plugin: textOf('AGENT_PLUGIN=') };
}

/** Of all threads: orphans go to one of them. */
function ownChildren(): readonly number[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    const text = readOr(`/proc/self/task/${thread}/children`).trim();
    return text === '' ? [] : text.split(' ').map(Number);
  });
}

/** None when it is gone. */
function factsOf(pid: number): ProcessFacts[] {
  const stat = readOr(`/proc/${pid}/stat`);
  // The second field is the program's name in brackets and may itself hold blanks and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state = ''] = fields;
  return state === '' ? [] : [{ pid, state, session: Number(fields[3]), startTicks: Number(fields[19]) }];
}

/** What is not there has ended, or the kernel does not tell. */
function readOr(file: string, encoding: BufferEncoding = 'latin1'): string {
  try {
    return readFileSync(file, encoding);
  } catch {
    return '';
  }
}
