import { type MessagePort, Worker } from 'node:worker_threads';
import { reasonOf } from '../../shared/coded-error.js';
import type { InspectorSetup } from '../../shared/host-messages.js';
import type { Log } from '../../shared/log.js';
import { isOverWithin } from '../../shared/within.js';

const WORKER_FILE = new URL('../../workers/host/inspector/worker.js', import.meta.url);

/** Those that hang, and a few that do not; fewer than that come from the thread that measures the host, unless it dies. */
const THREADS_MAX = 16;

/** One that does not hang ends within milliseconds; a busy machine takes longer. */
const STOP_TIMEOUT_MS = 1_000;

/** What such a thread holds is small, and would grow to what is usual for servers otherwise. */
const HEAP = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 1 };

/** All inspectors of the process that have not ended. */
const LIVING = new Set<Worker>();

/** True when there may be a thread that hangs in a call to the system, so that `process.exit` would wait for it. */
export function mayHaveHungThreads(): boolean {
  return LIVING.size > 0;
}

/**
 * Owns the threads that look at files which may not answer. They are children of the main thread, and not of the one
 * that measures the host: a thread that hangs would keep the one that has started it from ending.
 */
export class InspectorThreads {
  readonly #log: Log;
  readonly #threads = new Set<Worker>();
  #isClosed = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Starts a thread that gets its jobs through the port; closes the port when there can be no more threads. */
  start(port: MessagePort): void {
    if (this.#isClosed || this.#threads.size >= THREADS_MAX) {
      port.close();
      return;
    }
    const workerData: InspectorSetup = { port };
    const thread = new Worker(WORKER_FILE, {
      workerData,
      transferList: [port],
      trackUnmanagedFds: false,
      resourceLimits: HEAP,
    });
    thread.unref();
    this.#threads.add(thread);
    LIVING.add(thread);
    thread.on('error', (thrown) => {
      this.#log.error({ part: 'host' }, `a thread that looks at files failed: ${reasonOf(thrown)}`);
    });
    thread.on('exit', () => {
      this.#threads.delete(thread);
      LIVING.delete(thread);
    });
  }

  /** Ends the threads, but for those that hang. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const ended = Promise.all(Array.from(this.#threads, (thread) => thread.terminate()));
    await isOverWithin(STOP_TIMEOUT_MS, ended);
  }
}
