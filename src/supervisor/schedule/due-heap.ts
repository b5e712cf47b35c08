import TinyQueue from 'tinyqueue';

/** A value and the time at which it is due. */
export interface Due<T> {
  readonly dueMs: number;
  /** Of two that are due together, the one added first comes first. */
  readonly order: number;
  readonly value: T;
}

/** So few cancelled items are not worth a rebuild. */
const FEW = 64;

/**
 * Values by due time, earliest first. A cancelled one stays in the heap until it comes up (finding it would be a
 * search), but the heap is rebuilt when most of it is cancelled, so it never grows by changes alone.
 */
export class DueHeap<T> {
  readonly #live = new Set<Due<T>>();
  #queue = new TinyQueue<Due<T>>([], earlier);
  #added = 0;

  add(dueMs: number, value: T): Due<T> {
    this.#added += 1;
    const due = { dueMs, order: this.#added, value };
    this.#live.add(due);
    this.#queue.push(due);
    return due;
  }

  /** Takes one out before its time; one that is not in any more is no error. */
  cancel(due: Due<T>): void {
    this.#live.delete(due);
    const cancelled = this.#queue.length - this.#live.size;
    if (cancelled > FEW && cancelled > this.#live.size) this.#queue = new TinyQueue([...this.#live], earlier);
  }

  /** The earliest; it stays in. */
  peek(): Due<T> | undefined {
    for (;;) {
      const first = this.#queue.peek();
      if (first === undefined || this.#live.has(first)) return first;
      this.#queue.pop();
    }
  }

  /** The earliest that is due at `nowMs`, taken out; undefined when none is. */
  takeDue(nowMs: number): Due<T> | undefined {
    const first = this.peek();
    if (first === undefined || first.dueMs > nowMs) return undefined;
    this.#queue.pop();
    this.#live.delete(first);
    return first;
  }

  clear(): void {
    this.#live.clear();
    this.#queue = new TinyQueue<Due<T>>([], earlier);
  }

  /** Places taken in memory, those of cancelled ones included. */
  get places(): number {
    return this.#queue.length;
  }
}

function earlier<T>(one: Due<T>, other: Due<T>): number {
  return one.dueMs - other.dueMs || one.order - other.order;
}
