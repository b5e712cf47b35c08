import { Worker } from 'node:worker_threads';
import { reasonOf } from '../../shared/coded-error.js';
import type { Log, LogLine } from '../../shared/log.js';
import type {
  DrainOutcome,
  FromPublisher,
  Notice,
  PublisherSetup,
  PublisherStatus,
  ToPublisher,
} from '../../shared/messages.js';
import { RestartDelays } from '../../shared/restart-delays.js';
import { countUnsettled } from '../../shared/ring/lane-reader.js';

const WORKER_FILE = new URL('../../workers/publisher/worker.js', import.meta.url);
const STATUS_TIMEOUT_MS = 1000;
const RESTART_BASE_MS = 200;
const RESTART_CAP_MS = 30_000;

/** What may remain of a drain's own bound before the thread is ended from outside. */
const DRAIN_MARGIN_MS = 2000;

export interface PublisherThreadOptions {
  readonly setup: PublisherSetup;
  readonly log: Log;
  readonly acceptLine: (line: LogLine) => void;
  readonly onNotices: (notices: readonly Notice[]) => void;
  /** What the thread executes; the publisher worker unless a test brings another one. */
  readonly workerFile?: URL;
}

/**
 * Owns the publisher worker. Should it die, another one takes its place and begins with the first record that was not
 * settled, so that nothing in the ring is lost.
 */
export class PublisherThread {
  readonly #options: PublisherThreadOptions;
  #worker: Worker | undefined;
  readonly #restartDelays = new RestartDelays(RESTART_BASE_MS, RESTART_CAP_MS);
  #restartTimer: NodeJS.Timeout | undefined;
  #isStopping = false;
  readonly #statusWaiters = new Set<(status: PublisherStatus) => void>();
  #onDrained: ((outcome: DrainOutcome) => void) | undefined;

  constructor(options: PublisherThreadOptions) {
    this.#options = options;
    this.#worker = this.#start();
  }

  /** How deliveries stand; undefined when the publisher does not answer within a second. */
  async status(): Promise<PublisherStatus | undefined> {
    return new Promise((resolve) => {
      const settle = (status: PublisherStatus | undefined) => {
        clearTimeout(timer);
        this.#statusWaiters.delete(settle);
        resolve(status);
      };
      const timer = setTimeout(settle, STATUS_TIMEOUT_MS, undefined);
      this.#statusWaiters.add(settle);
      this.#send({ type: 'status' });
    });
  }

  /**
   * Has the ring delivered, at most `withinMs`, and ends the thread. One that has failed is started once more for it.
   * @returns what is left; of a thread that dies meanwhile what it had not settled, and not what it has on disk
   */
  async drain(withinMs: number): Promise<DrainOutcome> {
    this.#isStopping = true;
    clearTimeout(this.#restartTimer);
    const worker = this.#worker ?? this.#start();
    this.#worker = worker;
    let timer: NodeJS.Timeout | undefined;
    const outcome = await new Promise<DrainOutcome | undefined>((resolve) => {
      this.#onDrained = resolve;
      timer = setTimeout(resolve, withinMs + DRAIN_MARGIN_MS, undefined);
      worker.once('exit', () => resolve(undefined));
      this.#send({ type: 'drain', withinMs });
    });
    clearTimeout(timer);
    await worker.terminate();
    return outcome ?? this.#unsettled();
  }

  #unsettled(): DrainOutcome {
    const { records, points } = countUnsettled(this.#options.setup.ring);
    return { undeliveredRecords: records, undeliveredPoints: points, keptRecords: 0, keptPoints: 0 };
  }

  #start(): Worker {
    const { setup, log, workerFile = WORKER_FILE } = this.#options;
    const worker = new Worker(workerFile, { workerData: setup, trackUnmanagedFds: false });
    this.#restartDelays.noteStart();
    worker.on('message', (message: FromPublisher) => this.#receive(message));
    worker.on('error', (thrown) => {
      log.error({ part: 'publisher' }, `the publisher failed: ${reasonOf(thrown)}`);
    });
    worker.on('exit', () => {
      this.#worker = undefined;
      this.#restartLater();
    });
    return worker;
  }

  #restartLater(): void {
    if (this.#isStopping) return;
    const { failures, delayMs } = this.#restartDelays.next();
    this.#options.log.warn(
      { part: 'publisher', failures },
      `the publisher is started again in ${Math.round(delayMs)} ms and goes on with what is not settled`,
    );
    this.#restartTimer = setTimeout(() => {
      this.#worker = this.#start();
    }, delayMs);
  }

  #send(message: ToPublisher): void {
    this.#worker?.postMessage(message);
  }

  #receive(message: FromPublisher): void {
    switch (message.type) {
      case 'log':
        this.#options.acceptLine(message);
        break;
      case 'notices':
        this.#options.onNotices(message.notices);
        break;
      case 'status':
        for (const settle of [...this.#statusWaiters]) settle(message.status);
        break;
      case 'drained': {
        const { type: _, ...outcome } = message;
        this.#onDrained?.(outcome);
      }
    }
  }
}
