import { AMBIENT_CLEAR_ALL, CAPABILITIES, PROCESS_CONTROL } from './abi.js';
import { type CLibrary, callError } from './c-library.js';

/** Whose rights programs get that are started. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups; undefined: the thread's own, for what no group has a say in. */
  readonly groups: readonly number[] | undefined;
}

/**
 * The identity of the calling thread alone, which the raw system calls change (the C library's own functions change all
 * threads). Only for threads of root.
 *
 * The saved user id stays 0 meanwhile, which is what the way back needs; a program that is started loses it, and with
 * it every capability.
 */
export class ThreadIdentity {
  readonly #library: CLibrary;
  readonly #ownGid: number;
  readonly #ownGroups: Uint32Array;

  /** @throws CodedError when the thread's own groups cannot be read */
  constructor(library: CLibrary) {
    this.#library = library;
    this.#ownGid = process.getegid?.() ?? 0;
    this.#ownGroups = groupsOfThread(library);
  }

  /**
   * Does something short as somebody else, and takes the thread's own identity back.
   * @throws CodedError `EPERM` and the like when the identity cannot be taken; `rights-lost` when the thread did not get
   *   its own back: it must end, and nothing else may be done on it
   */
  as<T>(other: Identity, work: () => T): T {
    const groups = other.groups && Uint32Array.from(other.groups);
    try {
      this.#become(other, groups);
      return work();
    } finally {
      this.#takeBack(groups !== undefined);
    }
  }

  #become({ uid, gid }: Identity, groups: Uint32Array | undefined): void {
    const { setgroups, setresgid, setresuid } = this.#library.abi.systemCall;
    // Groups first: a thread that is no longer root may not change them.
    if (groups !== undefined) this.#setGroups(setgroups, groups);
    this.#call('setresgid', setresgid, gid, gid, 0);
    this.#call('setresuid', setresuid, uid, uid, 0);
  }

  #takeBack(withGroups: boolean): void {
    const { setgroups, setresgid, setresuid } = this.#library.abi.systemCall;
    try {
      this.#call('setresuid', setresuid, 0, 0, 0);
      this.#call('setresgid', setresgid, this.#ownGid, this.#ownGid, this.#ownGid);
      if (withGroups) this.#setGroups(setgroups, this.#ownGroups);
    } catch (cause) {
      throw Object.assign(callError('taking back the rights of the thread', 'rights-lost'), { cause });
    }
  }

  #setGroups(number: number, groups: Uint32Array): void {
    const memory = groups.length === 0 ? null : groups;
    if (this.#library.systemCallMemory(number, groups.length, memory, null) < 0) {
      throw callError('setgroups', this.#library.errorName());
    }
  }

  #call(name: string, number: number, first: number, second: number, third: number): void {
    if (this.#library.systemCall(number, first, second, third, 0) < 0) {
      throw callError(name, this.#library.errorName());
    }
  }
}

/**
 * Takes from the calling thread the capabilities that programs of another user would inherit, as a service manager can
 * give them. What the thread itself may do stays.
 */
export function inheritNoCapabilities(library: CLibrary): void {
  const { capget, capset } = library.abi.systemCall;
  // Kernels before 4.3 have no ambient ones.
  library.functions.prctl(PROCESS_CONTROL.ambientCapabilities, AMBIENT_CLEAR_ALL, 0, 0, 0);
  const header = Int32Array.of(CAPABILITIES.version, 0);
  const words = new Uint32Array(CAPABILITIES.words);
  if (library.systemCallMemories(capget, header, words, null) < 0)
    throw callError('capget', library.errorName());
  for (const word of CAPABILITIES.inheritableWords) words[word] = 0;
  if (library.systemCallMemories(capset, header, words, null) < 0)
    throw callError('capset', library.errorName());
}

/** Node.js adds the group of the process to those it tells of. */
function groupsOfThread(library: CLibrary): Uint32Array {
  const { getgroups } = library.abi.systemCall;
  const count = library.systemCallMemory(getgroups, 0, null, null);
  const groups = new Uint32Array(Math.max(0, count));
  if (count > 0 && library.systemCallMemory(getgroups, count, groups, null) !== count) {
    throw callError('getgroups', library.errorName());
  }
  return groups;
}
