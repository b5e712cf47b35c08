import TinyQueue from 'tinyqueue';

/** A value and the time at which it is due. */
export interface Due<T> {
  readonly dueMs: number;
  /** Of two that are due together, the one added first comes first. */
  readonly order: number;
  readonly value: T;
  /** Neither taken out nor cancelled. */
  isLive: boolean;
}

/** So few cancelled items are not worth a rebuild. */
const FEW = 64;

/**
 * Values by due time, earliest first. A cancelled one stays in the heap until it comes up (finding it would be a
 * search), but the heap is rebuilt when most of it is cancelled, so it never grows by changes alone.
 */
export class DueHeap<T> {
  #live = 0;
  #queue = new TinyQueue<Due<T>>([], earlier);
  #added = 0;

  add(dueMs: number, value: T): Due<T> {
    this.#added += 1;
    const due: Due<T> = { dueMs, order: this.#added, value, isLive: true };
    this.#live += 1;
    this.#queue.push(due);
    return due;
  }

  /** Takes one out before its time; one that is not in any more is no error. */
  cancel(due: Due<T>): void {
    if (!due.isLive) return;
    this.#leave(due);
    const cancelled = this.#queue.length - this.#live;
    if (cancelled > FEW && cancelled > this.#live) this.#rebuild();
  }

  /** The earliest; it stays in. */
  peek(): Due<T> | undefined {
    for (;;) {
      const first = this.#queue.peek();
      if (first === undefined || first.isLive) return first;
      this.#queue.pop();
    }
  }

  /** The earliest that is due at `nowMs`, taken out; undefined when none is. */
  takeDue(nowMs: number): Due<T> | undefined {
    const first = this.peek();
    if (first === undefined || first.dueMs > nowMs) return undefined;
    this.#queue.pop();
    this.#leave(first);
    return first;
  }

  clear(): void {
    for (const due of this.#queue.data) due.isLive = false;
    this.#live = 0;
    this.#queue = new TinyQueue<Due<T>>([], earlier);
  }

  /** Places taken in memory, those of cancelled ones included. */
  get places(): number {
    return this.#queue.length;
  }

  #leave(due: Due<T>): void {
    due.isLive = false;
    this.#live -= 1;
  }

  #rebuild(): void {
    const live = this.#queue.data.filter(({ isLive }) => isLive);
    this.#queue = new TinyQueue(live, earlier);
  }
}

function earlier<T>(one: Due<T>, other: Due<T>): number {
  return one.dueMs - other.dueMs || one.order - other.order;
}
