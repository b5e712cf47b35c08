import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { EndedRun, RunsEnded, ToShift } from '../../shared/messages.js';
import { GivenPlans, type OpenBatch, type PoolRun } from './given-plans.js';

/** Hears once how a run ended. Must not throw. */
export type RunOver = (end: EndedRun) => void;

/** The supervisor's side of a shift: gives runs to the worker in batches, and hears from it how they ended. */
export class RunnerShift {
  /** Id of the worker's thread. */
  readonly id: number;
  readonly #port: MessagePort;
  readonly #ended: (count: number) => void;
  readonly #plans = new GivenPlans();
  readonly #underWay = new Map<number, RunOver>();
  #batch: OpenBatch | undefined;
  #idleSinceMs = performance.now();

  /** @param ended called with the number of runs when some have ended, after those who wait for them */
  constructor(id: number, port: MessagePort, ended: (count: number) => void) {
    this.id = id;
    this.#port = port;
    this.#ended = ended;
    port.on('message', (message: RunsEnded) => this.#end(message.ended));
    port.unref();
  }

  /** Takes a run on; the worker hears of it with `send`. */
  add(run: PoolRun, over: RunOver): void {
    this.#underWay.set(run.runId, over);
    this.#batch ??= this.#plans.open();
    this.#plans.write(this.#batch, run);
  }

  /** Tells the worker of the runs that were added, in one message: that costs more than what stands in it. */
  send(): void {
    if (this.#batch === undefined) return;
    this.#say(this.#batch);
    this.#batch = undefined;
  }

  /** Whether the worker has had nothing to do for so long, in ms. */
  isIdleFor(ms: number): boolean {
    return this.#underWay.size === 0 && performance.now() - this.#idleSinceMs >= ms;
  }

  /** The plugin with this key has no run under way, and there will be no other one of its plan. */
  forgetPlan(key: string): void {
    this.#plans.forget(key);
  }

  /** Sends the worker off shift, which has no run under way. */
  close(): void {
    this.#say({ type: 'end' });
  }

  /** The worker is gone, and with it those of its runs that it has not told of. */
  fail(problem: string): void {
    for (let told = this.#take(); told !== undefined; told = this.#take()) this.#end(told.ended);
    this.#port.close();
    this.#end([...this.#underWay.keys()].map((runId) => ({ runId, problem })));
  }

  #say(message: ToShift): void {
    this.#port.postMessage(message);
  }

  #take(): RunsEnded | undefined {
    return receiveMessageOnPort(this.#port)?.message;
  }

  #end(ended: readonly EndedRun[]): void {
    for (const end of ended) {
      const over = this.#underWay.get(end.runId);
      this.#underWay.delete(end.runId);
      over?.(end);
    }
    if (this.#underWay.size === 0) this.#idleSinceMs = performance.now();
    this.#ended(ended.length);
  }
}
