import { Worker } from 'node:worker_threads';
import { reasonOf } from '../../shared/coded-error.js';
import {
  type FromHost,
  HostCounts,
  type HostPlan,
  type HostSetup,
  type HostTypeCount,
  type ToHost,
} from '../../shared/host-messages.js';
import type { Log, LogLine } from '../../shared/log.js';
import { RestartDelays } from '../../shared/restart-delays.js';
import { RingWake } from '../../shared/ring/wake.js';
import { isOverWithin } from '../../shared/within.js';
import { InspectorThreads } from './inspector-threads.js';

const WORKER_FILE = new URL('../../workers/host/worker.js', import.meta.url);

const RESTART_BASE_MS = 200;
const RESTART_CAP_MS = 60_000;

/** A thread that has nothing to wait for ends within milliseconds; a busy machine takes longer. */
const STOP_TIMEOUT_MS = 3_000;

/** What the thread holds is small, and would grow to what is usual for servers otherwise. */
const HEAP = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 2 };

export interface HostThreadOptions {
  readonly setup: Omit<HostSetup, 'counts'>;
  readonly log: Log;
  readonly acceptLine: (line: LogLine) => void;
  /** What the thread executes; the host worker unless a test brings another one. */
  readonly workerFile?: URL;
}

/**
 * Owns the thread that measures the host. It is started with the first plan that has a namespace, and again with the
 * same plan when it has died.
 */
export class HostThread {
  readonly #options: HostThreadOptions;
  readonly #counts = new HostCounts();
  readonly #inspectors: InspectorThreads;
  #plan: HostPlan | undefined;
  #worker: Worker | undefined;
  readonly #restartDelays = new RestartDelays(RESTART_BASE_MS, RESTART_CAP_MS);
  #restartTimer: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(options: HostThreadOptions) {
    this.#options = options;
    this.#inspectors = new InspectorThreads(options.log);
  }

  /** Rounds and points of each type since the start of the agent. */
  get counts(): readonly HostTypeCount[] {
    return this.#counts.read();
  }

  /** What is measured from now on. */
  setPlan(plan: HostPlan): void {
    if (this.#isStopping || this.#options.setup.settings.collect.length === 0) return;
    if (JSON.stringify(plan) === JSON.stringify(this.#plan)) return;
    this.#plan = plan;
    if (this.#worker !== undefined) this.#send({ type: 'plan', plan });
    else if (this.#restartTimer === undefined && plan.namespaces.length > 0) this.#start();
  }

  /** Ends the threads, but for those that hang. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restartTimer);
    const worker = this.#worker;
    if (worker !== undefined) {
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      this.#send({ type: 'stop' });
      if (!(await isOverWithin(STOP_TIMEOUT_MS, ended))) await worker.terminate();
    }
    await this.#inspectors.close();
  }

  #start(): void {
    this.#restartTimer = undefined;
    const { setup, log, workerFile = WORKER_FILE } = this.#options;
    const workerData: HostSetup = { ...setup, counts: this.#counts.memory };
    const worker = new Worker(workerFile, {
      workerData,
      trackUnmanagedFds: false,
      resourceLimits: HEAP,
    });
    this.#worker = worker;
    this.#restartDelays.noteStart();
    worker.on('message', (message: FromHost) => this.#receive(message));
    worker.on('error', (thrown) => {
      log.error({ part: 'host' }, `the thread that measures the host failed: ${reasonOf(thrown)}`);
    });
    worker.on('exit', () => {
      this.#worker = undefined;
      // It may have died between a record and the wake-up for it.
      new RingWake(setup.ring).interrupt();
      this.#restartLater();
    });
    if (this.#plan !== undefined) this.#send({ type: 'plan', plan: this.#plan });
  }

  #restartLater(): void {
    if (this.#isStopping) return;
    const { failures, delayMs } = this.#restartDelays.next();
    this.#options.log.warn(
      { part: 'host', failures },
      `the host is measured again in ${Math.round(delayMs)} ms`,
    );
    this.#restartTimer = setTimeout(() => this.#start(), delayMs);
  }

  #send(message: ToHost): void {
    this.#worker?.postMessage(message);
  }

  #receive(message: FromHost): void {
    if (message.type === 'log') this.#options.acceptLine(message);
    else this.#inspectors.start(message.port);
  }
}
