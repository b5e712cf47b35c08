import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** How late the supervisor's thread comes to its timers, in seconds: the worst of each hundred, and the worst of all. */
export interface LoopLag {
  readonly p99Seconds: number;
  readonly maxSeconds: number;
}

/** A timer of this interval is watched. */
const RESOLUTION_MS = 50;

const WINDOW_MS = 60_000;

/**
 * Watches how late the event loop of this thread is, over the last one to two minutes. Windows end by the clock and not
 * when somebody looks, so that several who look see the same.
 */
export class EventLoopLag {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  #windowEnd: NodeJS.Immediate | undefined;
  #lastWindow: LoopLag = { p99Seconds: 0, maxSeconds: 0 };

  constructor(windowMs = WINDOW_MS) {
    this.#histogram.enable();
    // At once, this could come before the histogram's own timer, and whatever held both up would be forgotten.
    this.#timer = setInterval(() => {
      this.#windowEnd = setImmediate(() => this.#endWindow());
    }, windowMs).unref();
  }

  read(): LoopLag {
    const { p99Seconds, maxSeconds } = this.#window();
    return {
      p99Seconds: Math.max(p99Seconds, this.#lastWindow.p99Seconds),
      maxSeconds: Math.max(maxSeconds, this.#lastWindow.maxSeconds),
    };
  }

  close(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#windowEnd);
    this.#histogram.disable();
  }

  #endWindow(): void {
    this.#lastWindow = this.#window();
    this.#histogram.reset();
  }

  #window(): LoopLag {
    return {
      p99Seconds: lateness(this.#histogram.percentile(99)),
      maxSeconds: lateness(this.#histogram.max),
    };
  }
}

/** The histogram has the nanoseconds between two of the timer's turns. */
function lateness(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000);
}
