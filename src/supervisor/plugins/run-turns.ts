import TinyQueue from 'tinyqueue';
import { counted } from '../../shared/counted.js';
import type { Log } from '../../shared/log.js';

/** A host that is short of places says so this often at most. */
const WARN_EVERY_MS = 60_000;
/** Runs begin many at a time, so that there is a wait of moments for some even where there are places enough. */
const LONG_WAIT_MS = 1000;

/** What of a run decides when its turn comes. */
export interface Turn {
  readonly namespace: string;
  /** When it should have begun, in unix ms: the earlier, the sooner. */
  readonly dueAtMs: number;
  /** Its plugin hung the last time. */
  readonly hungBefore: boolean;
}

interface WaitingRun<T extends Turn> {
  readonly turn: T;
  /** Of two that are due together, the one that came first is first. */
  readonly order: number;
}

/** The runs of a namespace. */
interface Line<T extends Turn> {
  running: number;
  readonly waiting: TinyQueue<WaitingRun<T>>;
  /** Those whose plugins hung the last time. */
  readonly hanging: TinyQueue<WaitingRun<T>>;
}

/**
 * Places for scheduled runs. A free place goes to the namespace that has the fewest of them, of several to the one
 * whose run is due longest. A namespace that has none finds one free: as long as there are such, up to half of the
 * places are kept for them, one each, so that one namespace's slow plugins never hold up the others. Plugins that hung
 * the last time never hold more than half of the places.
 */
export class RunTurns<T extends Turn> {
  readonly #places: number;
  readonly #beginRun: (run: T) => void;
  readonly #log: Log;
  readonly #lines = new Map<string, Line<T>>();
  #namespaces: ReadonlySet<string> = new Set();
  #running = 0;
  #hangingRunning = 0;
  #waiting = 0;
  #lastOrder = 0;
  #isBeginning = false;
  #isClosed = false;
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  /**
   * @param places runs that may go on at the same time (`[runner] maxprocesses`)
   * @param begin begins a run whose turn has come; it has its place until `end` is called, which may be at once. Must
   * not throw.
   */
  constructor(places: number, begin: (run: T) => void, log: Log) {
    this.#places = places;
    this.#beginRun = begin;
    this.#log = log;
  }

  /** Runs that wait for a place. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Says which namespaces have plugins on schedule: places are kept for these. */
  setNamespaces(namespaces: ReadonlySet<string>): void {
    this.#namespaces = namespaces;
    for (const [namespace, line] of this.#lines) this.#dropUnused(namespace, line);
    // Whoever says so may be in the middle of changing the plugins.
    queueMicrotask(() => this.#beginNext());
  }

  /** Begins a run when its turn has come, which may be at once. After `close` it never does. */
  take(run: T): void {
    if (this.#isClosed) return;
    const line = this.#lineOf(run.namespace);
    if (this.#isRoomForAnyone(run)) {
      this.#begin(run, line);
      return;
    }
    this.#wait(run, line);
    this.#beginNext();
    if (this.#waiting > 0) this.#warnOfLongWait();
  }

  /** A run that had begun is over. */
  end({ namespace, hungBefore }: T): void {
    this.#running -= 1;
    if (hungBefore) this.#hangingRunning -= 1;
    const line = this.#lines.get(namespace);
    if (line === undefined) return;
    line.running -= 1;
    this.#dropUnused(namespace, line);
    this.#beginNext();
  }

  /** Forgets the runs that wait. */
  close(): void {
    this.#isClosed = true;
    this.#lines.clear();
    this.#waiting = 0;
  }

  /** More places are free than are ever kept, and nobody is in line for them: no need to look who is first. */
  #isRoomForAnyone({ hungBefore }: T): boolean {
    const isRoom = this.#waiting === 0 && this.#places - this.#running > this.#half;
    return isRoom && (!hungBefore || this.#mayHang());
  }

  #wait(turn: T, line: Line<T>): void {
    this.#lastOrder += 1;
    this.#waiting += 1;
    (turn.hungBefore ? line.hanging : line.waiting).push({ turn, order: this.#lastOrder });
  }

  #lineOf(namespace: string): Line<T> {
    const known = this.#lines.get(namespace);
    if (known !== undefined) return known;
    const line: Line<T> = {
      running: 0,
      waiting: new TinyQueue<WaitingRun<T>>([], earlier),
      hanging: new TinyQueue<WaitingRun<T>>([], earlier),
    };
    this.#lines.set(namespace, line);
    return line;
  }

  /** The line of a namespace that has plugins on schedule is soon used again. */
  #dropUnused(namespace: string, { running, waiting, hanging }: Line<T>): void {
    if (running > 0 || waiting.length > 0 || hanging.length > 0) return;
    if (!this.#namespaces.has(namespace)) this.#lines.delete(namespace);
  }

  /** A run that is over at once makes room for the next one: that is for the loop that began it to see. */
  #beginNext(): void {
    if (this.#isBeginning) return;
    this.#isBeginning = true;
    while (this.#running < this.#places && this.#waiting > 0) {
      const next = this.#next();
      const run = next?.queue.pop();
      if (next === undefined || run === undefined) break;
      this.#waiting -= 1;
      this.#begin(run.turn, next.line);
    }
    this.#isBeginning = false;
  }

  #begin(run: T, line: Line<T>): void {
    this.#running += 1;
    line.running += 1;
    if (run.hungBefore) this.#hangingRunning += 1;
    this.#beginRun(run);
  }

  #next(): Candidate<T> | undefined {
    const mayHang = this.#mayHang();
    const areAllKept = this.#places - this.#running <= this.#keptPlaces();
    let best: Candidate<T> | undefined;
    for (const line of this.#lines.values()) {
      if (areAllKept && line.running > 0) continue;
      const candidate = firstOf(line, mayHang);
      if (candidate !== undefined && (best === undefined || comesBefore(candidate, best))) best = candidate;
    }
    return best;
  }

  /** One for each namespace that has none, up to half of all. */
  #keptPlaces(): number {
    let without = 0;
    for (const namespace of this.#namespaces) {
      if ((this.#lines.get(namespace)?.running ?? 0) === 0) without += 1;
    }
    return Math.min(without, this.#half);
  }

  #longestDueAtMs(): number {
    let longestDueAtMs = Number.POSITIVE_INFINITY;
    for (const { waiting, hanging } of this.#lines.values()) {
      for (const queue of [waiting, hanging]) {
        longestDueAtMs = Math.min(longestDueAtMs, queue.peek()?.turn.dueAtMs ?? longestDueAtMs);
      }
    }
    return longestDueAtMs;
  }

  #mayHang(): boolean {
    return this.#hangingRunning < Math.max(1, this.#half);
  }

  get #half(): number {
    return Math.floor(this.#places / 2);
  }

  #warnOfLongWait(): void {
    const nowMs = performance.now();
    if (nowMs - this.#warnedAtMs < WARN_EVERY_MS || Date.now() - this.#longestDueAtMs() < LONG_WAIT_MS)
      return;
    this.#warnedAtMs = nowMs;
    this.#log.warn(
      { maxprocesses: this.#places, running: this.#running },
      `${counted(this.#running, 'plugin is', 'plugins are')} running at once and more are due: these wait; raise [runner] maxprocesses (${this.#places}), or see in /plugins/list which ones take long`,
    );
  }
}

interface Candidate<T extends Turn> {
  readonly line: Line<T>;
  readonly queue: TinyQueue<WaitingRun<T>>;
  readonly first: WaitingRun<T>;
}

/** The run of a namespace that is due longest. */
function firstOf<T extends Turn>(line: Line<T>, mayHang: boolean): Candidate<T> | undefined {
  const waiting = line.waiting.peek();
  const hanging = mayHang ? line.hanging.peek() : undefined;
  if (hanging !== undefined && (waiting === undefined || earlier(hanging, waiting) < 0)) {
    return { line, queue: line.hanging, first: hanging };
  }
  return waiting && { line, queue: line.waiting, first: waiting };
}

function comesBefore<T extends Turn>(one: Candidate<T>, other: Candidate<T>): boolean {
  return (one.line.running - other.line.running || earlier(one.first, other.first)) < 0;
}

function earlier(one: WaitingRun<Turn>, other: WaitingRun<Turn>): number {
  return one.turn.dueAtMs - other.turn.dueAtMs || one.order - other.order;
}
