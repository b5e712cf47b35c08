import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { reasonOf } from '../../shared/coded-error.js';
import type { PoolRun } from './given-plans.js';
import { RunnerShift, type RunOver } from './runner-shift.js';
import { RUNS_BEFORE_NEXT_WORKER, type WorkerChoice } from './worker-choice.js';

/**
 * Gives a worker a shift, by the port. `begun` is called with the id of its thread as soon as that is known. Resolves
 * when the shift is over, rejects when the worker dies.
 */
export type GiveShift = (port: MessagePort, begun: (threadId: number) => void) => Promise<void>;

interface WaitingRun {
  readonly run: PoolRun;
  readonly over: RunOver;
}

/** After a thread that could not start: the next one may fail for the same reason. */
const OPEN_AGAIN_MS = 1000;

/** Gathers the runs that begin in one turn of the event loop, and gives them to workers, which it has on shift for that. */
export class RunnerShifts {
  readonly #choice: WorkerChoice;
  readonly #give: GiveShift;
  readonly #idleMs: number;
  /** Those that have begun, in this order. */
  #shifts: RunnerShift[] = [];
  /** How many have yet to begin, as their threads have. */
  #opening = 0;
  #waiting: WaitingRun[] = [];
  #isPlacing = false;
  #idleTimer: NodeJS.Timeout | undefined;
  #openAgain: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param idleMs a worker that had no run for so long, and up to twice that, is sent off shift */
  constructor(options: {
    readonly choice: WorkerChoice;
    readonly give: GiveShift;
    readonly idleMs: number;
  }) {
    this.#choice = options.choice;
    this.#give = options.give;
    this.#idleMs = options.idleMs;
  }

  /** Begins a run; `over` hears when it has ended, or why it came to nothing: its worker died, or could not do it. */
  begin(run: PoolRun, over: RunOver): void {
    this.#waiting.push({ run, over });
    this.#placeSoon();
  }

  /** The plugin with this key has no run under way, and there will be no other one of its plan. */
  forgetPlan(key: string): void {
    for (const shift of this.#shifts) shift.forgetPlan(key);
  }

  /**
   * A thread may have failed before it could take its shift: nobody waits for that one any more. Those who wait have
   * another one asked for, with the next run, or in a while: that one may fail, too.
   */
  giveUpOpening(): void {
    this.#opening = 0;
    this.#openAgain ??= setTimeout(() => {
      this.#openAgain = undefined;
      if (this.#waiting.length > 0) this.#placeSoon();
    }, OPEN_AGAIN_MS).unref();
  }

  /** Gives nothing more. Runs under way end with their workers. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#idleTimer);
    clearTimeout(this.#openAgain);
    this.#refuseWaiting('the runners are closed');
  }

  /** Several are begun in one turn, and places become free several at a time. */
  #placeSoon(): void {
    if (this.#isPlacing) return;
    this.#isPlacing = true;
    setImmediate(() => {
      this.#isPlacing = false;
      this.#placeWaiting();
    });
  }

  #placeWaiting(): void {
    if (this.#isClosed) {
      this.#refuseWaiting('the runners are closed');
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [index, { run, over }] of waiting.entries()) {
      const shift = this.#shiftForNext(waiting.length - index);
      if (shift === undefined) {
        this.#waiting = waiting.slice(index);
        break;
      }
      shift.add(run, over);
      this.#choice.add(shift.id, 1);
    }
    for (const shift of this.#shifts) shift.send();
  }

  /** Undefined: the runs have to wait, for a shift that has yet to begin or for others to end. */
  #shiftForNext(waiting: number): RunnerShift | undefined {
    for (;;) {
      const shift = this.#shifts.find(({ id }) => this.#choice.hasRoom(id));
      if (shift !== undefined) return shift;
      if (!this.#shouldOpen(waiting)) break;
      this.#open();
    }
    return this.#opening > 0 ? undefined : this.#choice.leastBusy(this.#shifts);
  }

  /** As long as there may be more workers, and not more at a time than are of use. */
  #shouldOpen(waiting: number): boolean {
    const isOfUse = this.#opening * RUNS_BEFORE_NEXT_WORKER < waiting;
    return isOfUse && this.#shifts.length + this.#opening < this.#choice.maxWorkers;
  }

  #open(): void {
    const { port1, port2 } = new MessageChannel();
    let shift: RunnerShift | undefined;
    this.#opening += 1;
    const begun = (threadId: number) => {
      shift = this.#begin(threadId, port1);
    };
    this.#give(port2, begun).catch((error: unknown) => {
      if (shift === undefined) this.#fail(reasonOf(error));
      else this.#lose(shift, reasonOf(error));
    });
  }

  #begin(threadId: number, port: MessagePort): RunnerShift {
    const shift = new RunnerShift(threadId, port, (count) => {
      this.#choice.add(threadId, -count);
      if (this.#waiting.length > 0) this.#placeSoon();
    });
    this.#shifts.push(shift);
    this.#hasOpened();
    this.#idleTimer ??= setInterval(() => this.#endIdle(), this.#idleMs).unref();
    if (this.#waiting.length > 0) this.#placeSoon();
    return shift;
  }

  #endIdle(): void {
    for (const shift of this.#shifts.filter((each) => each.isIdleFor(this.#idleMs))) {
      this.#remove(shift);
      shift.close();
    }
  }

  #remove(shift: RunnerShift): void {
    this.#shifts = this.#shifts.filter((other) => other !== shift);
    if (this.#shifts.length > 0) return;
    clearInterval(this.#idleTimer);
    this.#idleTimer = undefined;
  }

  #lose(shift: RunnerShift, problem: string): void {
    this.#remove(shift);
    shift.fail(problem);
  }

  /** A shift could not begin. */
  #fail(problem: string): void {
    this.#hasOpened();
    this.#refuseWaiting(problem);
  }

  /** Of those that were given up, one may yet begin. */
  #hasOpened(): void {
    this.#opening = Math.max(0, this.#opening - 1);
  }

  #refuseWaiting(problem: string): void {
    for (const { run, over } of this.#waiting.splice(0)) over({ runId: run.runId, problem });
  }
}
