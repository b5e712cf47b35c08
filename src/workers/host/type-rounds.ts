import type { HostPlan } from '../../shared/host-messages.js';
import type { HostType, ReadContext, Reading } from './host-type.js';

/** What the rounds of a type are made with. */
export interface TypeRoundsOptions {
  readonly type: HostType<unknown>;
  /** Everything but what belongs to a single round. */
  readonly context: Pick<ReadContext, 'places' | 'settings' | 'inspect' | 'warn'>;
  /** Takes what a round measured; the next one waits for it. */
  readonly send: (round: Round) => Promise<void>;
  readonly onFailure: (thrown: unknown) => void;
}

/** What a round measured. */
export interface Round {
  readonly points: Reading<unknown>['points'];
  readonly nowSeconds: number;
}

/** The rounds of one type, on its own clock: the first one at once, and never two at the same time. */
export class TypeRounds {
  readonly #options: TypeRoundsOptions;
  #plan: HostPlan | undefined;
  #intervalSeconds = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Of the last round's beginning; undefined: there was none since the type was wanted. */
  #lastMs: number | undefined;
  #state: unknown;
  #isRunning = false;

  constructor(options: TypeRoundsOptions) {
    this.#options = options;
  }

  /** Goes on with another plan; what was measured before is still of use for rates. */
  setPlan(plan: HostPlan): void {
    const { type, context } = this.#options;
    this.#plan = plan;
    this.#intervalSeconds = plan.intervals[type.type] ?? type.intervalSeconds;
    clearTimeout(this.#timer);
    const isWanted = plan.namespaces.length > 0 && (type.isWanted?.(plan, context.settings) ?? true);
    if (isWanted) {
      this.#schedule();
    } else {
      this.#lastMs = undefined;
      this.#state = undefined;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#plan = undefined;
  }

  #schedule(): void {
    const now = performance.now();
    const intervalMs = this.#intervalSeconds * 1000;
    let dueMs = this.#lastMs === undefined ? now : this.#lastMs + intervalMs;
    // Rounds that were missed, as by a machine that slept, are not made up for.
    if (now > dueMs + intervalMs) dueMs = now;
    this.#timer = setTimeout(() => void this.#run(dueMs), Math.max(0, dueMs - now));
  }

  async #run(dueMs: number): Promise<void> {
    this.#lastMs = dueMs;
    this.#schedule();
    if (this.#isRunning || this.#plan === undefined) return;
    this.#isRunning = true;
    try {
      await this.#readAndSend(this.#plan);
    } catch (thrown) {
      this.#state = undefined;
      this.#options.onFailure(thrown);
    } finally {
      this.#isRunning = false;
    }
  }

  async #readAndSend(plan: HostPlan): Promise<void> {
    const { type, context, send } = this.#options;
    const nowSeconds = Math.floor(Date.now() / 1000);
    const { points, state } = await type.read(this.#state, {
      ...context,
      plan,
      intervalSeconds: this.#intervalSeconds,
      nowSeconds,
      monotonicMs: performance.now(),
    });
    this.#state = state;
    await send({ points, nowSeconds });
  }
}
