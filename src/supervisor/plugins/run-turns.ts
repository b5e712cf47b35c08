import TinyQueue from 'tinyqueue';
import { counted } from '../../shared/counted.js';
import type { Log } from '../../shared/log.js';

/** A host that is short of places says so this often at most. */
const WARN_EVERY_MS = 60_000;

/** What of a run decides when its turn comes. */
export interface Turn {
  readonly namespace: string;
  /** When it should have begun, in unix ms: the earlier, the sooner. */
  readonly dueAtMs: number;
  /** Its plugin hung the last time. */
  readonly hungBefore: boolean;
}

interface WaitingRun {
  readonly turn: Turn;
  /** Of two that are due together, the one that came first is first. */
  readonly order: number;
  readonly run: () => Promise<void>;
}

/** The runs of a namespace. */
interface Line {
  running: number;
  readonly waiting: TinyQueue<WaitingRun>;
  /** Those whose plugins hung the last time. */
  readonly hanging: TinyQueue<WaitingRun>;
}

/**
 * Places for scheduled runs. A free place goes to the namespace that has the fewest of them, of several to the one
 * whose run is due longest. A namespace that has none finds one free: as long as there are such, up to half of the
 * places are kept for them, one each, so that one namespace's slow plugins never hold up the others. Plugins that hung
 * the last time never hold more than half of the places.
 */
export class RunTurns {
  readonly #places: number;
  readonly #log: Log;
  readonly #lines = new Map<string, Line>();
  #namespaces: ReadonlySet<string> = new Set();
  #running = 0;
  #hangingRunning = 0;
  #waiting = 0;
  #lastOrder = 0;
  #isClosed = false;
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  /** @param places runs that may go on at the same time (`[runner] maxprocesses`) */
  constructor(places: number, log: Log) {
    this.#places = places;
    this.#log = log;
  }

  /** Runs that wait for a place. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Says which namespaces have plugins on schedule: places are kept for these. */
  setNamespaces(namespaces: ReadonlySet<string>): void {
    this.#namespaces = namespaces;
    // Whoever says so may be in the middle of changing the plugins.
    queueMicrotask(() => this.#beginNext());
  }

  /**
   * Does a run when its turn has come, which may be at once. After `close` it never does.
   * What a run rejects with is its own matter.
   */
  take(turn: Turn, run: () => Promise<void>): void {
    if (this.#isClosed) return;
    this.#wait(turn, run);
    this.#beginNext();
    if (this.#waiting > 0) this.#warn();
  }

  /** Forgets the runs that wait. */
  close(): void {
    this.#isClosed = true;
    this.#lines.clear();
    this.#waiting = 0;
  }

  #wait(turn: Turn, run: () => Promise<void>): void {
    const line = this.#lineOf(turn.namespace);
    this.#lastOrder += 1;
    this.#waiting += 1;
    (turn.hungBefore ? line.hanging : line.waiting).push({ turn, order: this.#lastOrder, run });
  }

  #lineOf(namespace: string): Line {
    const known = this.#lines.get(namespace);
    if (known !== undefined) return known;
    const line: Line = {
      running: 0,
      waiting: new TinyQueue<WaitingRun>([], earlier),
      hanging: new TinyQueue<WaitingRun>([], earlier),
    };
    this.#lines.set(namespace, line);
    return line;
  }

  #beginNext(): void {
    while (this.#running < this.#places && this.#waiting > 0) {
      const next = this.#next();
      if (next === undefined) return;
      this.#begin(next);
    }
  }

  #begin({ line, queue }: Candidate): void {
    const next = queue.pop();
    if (next === undefined) return;
    const { turn, run } = next;
    this.#waiting -= 1;
    this.#running += 1;
    line.running += 1;
    if (turn.hungBefore) this.#hangingRunning += 1;
    const isOver = () => this.#end(turn);
    run().then(isOver, isOver);
  }

  #end({ namespace, hungBefore }: Turn): void {
    this.#running -= 1;
    if (hungBefore) this.#hangingRunning -= 1;
    const line = this.#lines.get(namespace);
    if (line === undefined) return;
    line.running -= 1;
    if (line.running === 0 && line.waiting.length === 0 && line.hanging.length === 0)
      this.#lines.delete(namespace);
    this.#beginNext();
  }

  #next(): Candidate | undefined {
    const mayHang = this.#hangingRunning < Math.max(1, Math.floor(this.#places / 2));
    const areAllKept = this.#places - this.#running <= this.#keptPlaces();
    let best: Candidate | undefined;
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
    return Math.min(without, Math.floor(this.#places / 2));
  }

  #warn(): void {
    const nowMs = performance.now();
    if (nowMs - this.#warnedAtMs < WARN_EVERY_MS) return;
    this.#warnedAtMs = nowMs;
    this.#log.warn(
      { maxprocesses: this.#places, running: this.#running },
      `${counted(this.#running, 'plugin is', 'plugins are')} running at once and more are due: these wait; raise [runner] maxprocesses (${this.#places}), or see in /plugins/list which ones take long`,
    );
  }
}

interface Candidate {
  readonly line: Line;
  readonly queue: TinyQueue<WaitingRun>;
  readonly first: WaitingRun;
}

/** The run of a namespace that is due longest. */
function firstOf(line: Line, mayHang: boolean): Candidate | undefined {
  const waiting = line.waiting.peek();
  const hanging = mayHang ? line.hanging.peek() : undefined;
  if (hanging !== undefined && (waiting === undefined || earlier(hanging, waiting) < 0)) {
    return { line, queue: line.hanging, first: hanging };
  }
  return waiting && { line, queue: line.waiting, first: waiting };
}

function comesBefore(one: Candidate, other: Candidate): boolean {
  return (one.line.running - other.line.running || earlier(one.first, other.first)) < 0;
}

function earlier(one: WaitingRun, other: WaitingRun): number {
  return one.turn.dueAtMs - other.turn.dueAtMs || one.order - other.order;
}
