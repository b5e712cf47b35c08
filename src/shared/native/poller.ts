import { EPOLL, FILE_FLAG } from './abi.js';
import { type CLibrary, callError } from './c-library.js';
import { closeDescriptor } from './descriptors.js';

const EVENTS_MAX = 256;

/**
 * Tells which of many descriptors can be read (epoll). It is asked and never calls back: a place for it in the event
 * loop would be left open when the thread is ended from outside, and take the process along.
 */
export class Poller {
  readonly #library: CLibrary;
  readonly #descriptor: number;
  readonly #event: DataView;
  readonly #events: DataView;
  #watched = 0;

  /** @throws CodedError `EMFILE` and the like */
  constructor(library: CLibrary) {
    this.#library = library;
    const { bytes } = library.abi.epollEvent;
    this.#event = new DataView(new ArrayBuffer(bytes));
    this.#events = new DataView(new ArrayBuffer(EVENTS_MAX * bytes));
    this.#descriptor = library.functions.epoll_create1(FILE_FLAG.closeOnExec);
    if (this.#descriptor < 0) throw callError('epoll_create1', library.errorName());
    library.ledger?.opened(this.#descriptor);
  }

  /**
   * Watches a descriptor until it is removed.
   * @param key what `ready` calls it, a whole number of 32 bits
   * @returns false when the system has no room for that now
   */
  add(descriptor: number, key: number): boolean {
    this.#event.setUint32(0, EPOLL.readable, true);
    this.#event.setUint32(this.#library.abi.epollEvent.dataAt, key, true);
    const isWatched = this.#control(EPOLL.add, descriptor) === 0;
    if (isWatched) this.#watched += 1;
    return isWatched;
  }

  /** To be called before the descriptor is closed: a copy of it that another process holds would keep it here. */
  remove(descriptor: number): void {
    if (this.#control(EPOLL.remove, descriptor) === 0) this.#watched -= 1;
  }

  /** The keys of those that can be read now, or are at their end; never waits. Others may follow at once. */
  ready(): number[] {
    if (this.#watched === 0) return [];
    const { bytes, dataAt } = this.#library.abi.epollEvent;
    const count = this.#library.functions.epoll_wait(this.#descriptor, bytesOf(this.#events), EVENTS_MAX, 0);
    return Array.from({ length: Math.max(0, count) }, (_, index) =>
      this.#events.getUint32(index * bytes + dataAt, true),
    );
  }

  close(): void {
    closeDescriptor(this.#library, this.#descriptor);
  }

  #control(operation: number, descriptor: number): number {
    return this.#library.functions.epoll_ctl(this.#descriptor, operation, descriptor, bytesOf(this.#event));
  }
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer);
}
