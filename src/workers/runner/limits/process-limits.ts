import { codeOf, reasonOf } from '../../../shared/coded-error.js';
import type { Log } from '../../../shared/log.js';
import type { PluginUser } from '../../../shared/messages.js';
import { type CLibrary, type CLibraryFound, cLibrary } from '../../../shared/native/c-library.js';
import { hardLimitOf, prlimit, setpriority } from '../../../shared/native/process-calls.js';
import { ThreadIdentity } from '../../../shared/native/thread-identity.js';
import type { ResourceLimit } from './resource-limits.js';

/** What the limits of processes depend on. */
export interface Limited {
  readonly limits: readonly ResourceLimit[];
  /** From -20 to 19; 0: as the agent. */
  readonly nice: number;
  readonly user: PluginUser | undefined;
}

/** A busy machine may take some milliseconds. */
const DENIALS_MAX = 40;
const DENIAL_WAIT_MS = 0.1;
const NOBODY_WAKES = new Int32Array(new SharedArrayBuffer(4));

/**
 * Sets the limits of processes that run already: posix_spawn cannot give a child other limits than its parent's, and
 * those of the agent, whose threads all share them, cannot be changed for a moment without harm. What a process does
 * before is bounded by the agent's own limits; its children of that moment are looked for, see `RunBounds`.
 *
 * The bound on processes is not inherited from the agent either: as the kernel counts all processes of the user, a
 * plugin that uses it up would then keep every other one from being started. This way only those fail that start more.
 */
export class ProcessLimits {
  readonly #found: CLibraryFound;
  readonly #log: Log;
  readonly #rightsLost: (reason: string) => never;
  #identity: ThreadIdentity | undefined;
  /** Root without the capability, as in most containers: only a user may bound his own processes then. */
  #asTheirUser = false;
  /** What went wrong and was said already. */
  readonly #said = new Set<string>();

  /** @param rightsLost ends the thread, when it could not become itself again */
  constructor(log: Log, rightsLost: (reason: string) => never, found: CLibraryFound = cLibrary()) {
    this.#log = log;
    this.#rightsLost = rightsLost;
    this.#found = found;
  }

  /**
   * Sets the limits of one process, as far as that is allowed; what is not is logged once.
   * @returns false when the process is gone
   */
  apply(pid: number, limited: Limited): boolean {
    return this.#set(pid, limited, applyAll);
  }

  /** As `apply`, but leaves alone what has these limits from its parent, and may have set itself stricter ones since. */
  applyWhereMissed(pid: number, limited: Limited): boolean {
    return this.#set(pid, limited, (library) => {
      if (isMissed(library, pid, limited)) applyAll(library, pid, limited);
    });
  }

  #set(pid: number, limited: Limited, work: typeof applyAll): boolean {
    const { library } = this.#found;
    if (library === undefined) {
      this.#warnOnce(`the limits of plugins' processes cannot be set: ${this.#found.problem}`);
      return true;
    }
    try {
      this.#allowed(library, limited.user, () => work(library, pid, limited));
    } catch (error) {
      if (codeOf(error) === 'ESRCH') return false;
      if (codeOf(error) === 'rights-lost') this.#rightsLost(reasonOf(error));
      this.cannotBeSet(reasonOf(error));
    }
    return true;
  }

  /** Says, once for each reason, that not all limits of a process could be set. */
  cannotBeSet(reason: string): void {
    this.#warnOnce(`not all limits of plugins can be set: ${reason}; ${WAY_OUT}`);
  }

  /** Does it as the agent, or as the process's own user where that is the only way. */
  #allowed(library: CLibrary, user: PluginUser | undefined, work: () => void): void {
    if (user !== undefined && this.#asTheirUser) {
      this.#as(library, user, work);
      return;
    }
    try {
      work();
    } catch (error) {
      if (user === undefined || !isDenial(error)) throw error;
      this.#as(library, user, work);
      this.#asTheirUser = true;
    }
  }

  /**
   * A process that posix_spawn has started is let go a moment before it is wholly its user's: until then it keeps the
   * saved user id of the agent, and the kernel refuses.
   */
  #as(library: CLibrary, { uid, gid }: PluginUser, work: () => void): void {
    this.#identity ??= new ThreadIdentity(library);
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#identity.as({ uid, gid, groups: undefined }, work);
        return;
      } catch (error) {
        if (!isDenial(error) || attempt === DENIALS_MAX) throw error;
        Atomics.wait(NOBODY_WAKES, 0, 0, DENIAL_WAIT_MS);
      }
    }
  }

  #warnOnce(sentence: string): void {
    if (this.#said.has(sentence)) return;
    this.#said.add(sentence);
    this.#log.warn({}, sentence);
  }
}

function isDenial(error: unknown): boolean {
  return ['EPERM', 'EACCES'].includes(codeOf(error) ?? '');
}

/** Throws CodedError of the call that fails. */
function applyAll(library: CLibrary, pid: number, { limits, nice }: Limited): void {
  for (const limit of limits) setBound(library, pid, limit);
  if (nice !== 0) setpriority(library, pid, nice);
}

/** True for a process that may have more of something than its limits say. */
function isMissed(library: CLibrary, pid: number, { limits }: Limited): boolean {
  return limits.some(({ resource, hard }) => {
    const most = hardLimitOf(library, pid, resource);
    return most === 'unlimited' || most > hard;
  });
}

/** Only root may go beyond what the agent itself is bound to; for others that is the limit then. */
function setBound(library: CLibrary, pid: number, { resource, ...bound }: ResourceLimit): void {
  try {
    prlimit(library, pid, resource, bound);
  } catch (error) {
    if (codeOf(error) !== 'EPERM') throw error;
    const own = hardLimitOf(library, 0, resource);
    if (own === 'unlimited' || bound.hard <= own) throw error;
    prlimit(library, pid, resource, { soft: own, hard: own });
  }
}

const WAY_OUT =
  'a niceness below the own one takes root (CAP_SYS_NICE), other limits above the own ones too (CAP_SYS_RESOURCE): give the agent that, or change the limit';
