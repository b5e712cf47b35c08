import type { CLibrary } from '../../shared/native/c-library.js';
import { Poller } from '../../shared/native/poller.js';
import type { OwnedProcess } from './owned-process.js';
import { KEYS_PER_SLOT, SOURCE, WatchedChild } from './watched-child.js';

/** The shortest and the longest time between two looks at the children. */
const SHORTEST_MS = 1;
const LONGEST_MS = 20;
/** So many looks in a row that found nothing are short ones. */
const SHORT_LOOKS = 30;
/** A child that lives longer than this is asked after no more: the poller tells of its outputs and its end. */
const YOUNG_MS = 4;
/**
 * A child whose program has not begun after that was stopped by somebody, or waits for a disk that does not answer. On
 * machines that are busy beyond measure some seconds pass.
 */
const START_MS = 30_000;

/**
 * Looks after the children of a thread: reads what they print and takes their ends.
 *
 * It looks by a timer, every millisecond while something happens and every 20 ms while nothing does: one look serves
 * all children that have something by then, which is cheaper than an event for each pipe of each child, and leaves
 * nothing in the event loop that is in the way when the thread ends.
 */
export class ChildWatch {
  readonly #library: CLibrary;
  readonly #poller: Poller;
  /** By slot, with gaps. */
  readonly #children: (WatchedChild | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  /** Looked at one by one, with the time of their start: most end before the poller would be worth its while. */
  #young: { readonly child: WatchedChild; readonly startedAt: number }[] = [];
  /** Those that are older, and whose end the kernel does not tell of. */
  readonly #silent = new Set<WatchedChild>();
  #count = 0;
  #emptyLooks = 0;
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;

  constructor(library: CLibrary) {
    this.#library = library;
    this.#poller = new Poller(library);
  }

  /**
   * Looks after a child from now on.
   * @param outputs the read ends of its stdout and stderr, which are taken over
   */
  add(process: OwnedProcess, outputs: readonly [number, number]): WatchedChild {
    const slot = this.#freeSlots.pop() ?? this.#children.length;
    const child: WatchedChild = new WatchedChild({
      library: this.#library,
      poller: this.#poller,
      slot,
      process,
      outputs,
      onOver: () => this.#forget(slot),
      onUnpolled: () => this.#lookAtSoon(child),
    });
    this.#children[slot] = child;
    this.#count += 1;
    this.#lookAtSoon(child);
    return child;
  }

  #lookAtSoon(child: WatchedChild): void {
    this.#young.push({ child, startedAt: performance.now() });
    this.#emptyLooks = 0;
    this.#lookLater();
  }

  #look(): void {
    this.#timer = undefined;
    const keys = this.#poller.ready();
    let isMoreThere = false;
    for (const key of keys) {
      const child = this.#children[Math.floor(key / KEYS_PER_SLOT)];
      if (child !== undefined && this.#serve(child, key % KEYS_PER_SLOT)) isMoreThere = true;
    }
    for (const child of this.#silent) this.#lookForEnd(child);
    const young = this.#young.length;
    this.#lookAtYoung();
    const happened = keys.length > 0 || this.#young.length < young;
    this.#emptyLooks = happened ? 0 : this.#emptyLooks + 1;
    if (isMoreThere) this.#timer = setImmediate(() => this.#look());
    else this.#lookLater();
  }

  /** True when there may be more to read at once. */
  #serve(child: WatchedChild, source: number): boolean {
    if (source === SOURCE.end) this.#lookForEnd(child);
    else return child.readOutput(source === SOURCE.stdout ? SOURCE.stdout : SOURCE.stderr);
    return false;
  }

  #lookForEnd(child: WatchedChild): void {
    if (child.takeEnd()) this.#silent.delete(child);
  }

  #lookAtYoung(): void {
    if (this.#young.length === 0) return;
    const now = performance.now();
    this.#young = this.#young.filter(({ child, startedAt }) => {
      const isGone = child.takeEnd();
      const age = now - startedAt;
      if (!isGone && child.isStarting && age > START_MS) child.giveUpStart();
      return (!isGone && (age < YOUNG_MS || child.isStarting)) || !this.#isPolled(child, isGone);
    });
  }

  /** Leaves a child to the poller. False when the system is out of room for it: again with the next look. */
  #isPolled(child: WatchedChild, isGone: boolean): boolean {
    child.pollOutputs();
    if (!child.hasOutputsPolled) return false;
    if (!isGone && !child.pollEnd()) this.#silent.add(child);
    return true;
  }

  #forget(slot: number): void {
    this.#children[slot] = undefined;
    this.#freeSlots.push(slot);
    this.#count -= 1;
  }

  #lookLater(): void {
    if (this.#timer !== undefined || this.#count === 0) return;
    const delayMs = Math.max(SHORTEST_MS, Math.min(LONGEST_MS, this.#emptyLooks - SHORT_LOOKS));
    this.#timer = setTimeout(() => this.#look(), delayMs);
  }
}
