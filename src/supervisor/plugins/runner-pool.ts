import { closeSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
import type { MessagePort, Transferable, Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { childrenOfRow, clearRow, rowCount } from '../../shared/child-table.js';
import { reasonOf } from '../../shared/coded-error.js';
import { counted } from '../../shared/counted.js';
import type { Log, LogLine } from '../../shared/log.js';
import type {
  FromRunner,
  PostOutcome,
  PostTask,
  RunnerResult,
  RunnerSetup,
  RunnerTask,
} from '../../shared/messages.js';
import { takeLeftDescriptors } from '../../shared/native/descriptor-ledger.js';
import { signalGroup } from '../../shared/process-group.js';
import { laneOf, releaseLane } from '../../shared/ring/lane-owner.js';
import { RingWake } from '../../shared/ring/wake.js';
import type { PoolRun } from './given-plans.js';
import type { RunOver } from './runner-shift.js';
import { RunnerShifts } from './runner-shifts.js';
import { POST_WEIGHT, type WeighedTask, WorkerChoice } from './worker-choice.js';

const WORKER_FILE = new URL('../../workers/runner/worker.js', import.meta.url).href;

/** A busy machine takes a while to start a thread; one that hangs is ended all the same. */
const LOAD_TIMEOUT_MS = 5_000;

const MEBIBYTE = 1024 * 1024;
const HEAP_BASE_BYTES = 128 * MEBIBYTE;
const HEAP_BYTES_PER_INPUT_BYTE = 32;

const IDLE_TIMEOUT_MS = 60_000;

/** Long enough for a host with few plugins to get along with few shifts; only off shift a worker counts as idle. */
const SHIFT_IDLE_MS = 5_000;

/** How much a worker takes on is for `WorkerChoice` to say. */
const NO_BOUND_OF_TASKS = 2 ** 31 - 1;

/**
 * Owns the pool of runner workers. When a worker dies, the children it left behind are ended and its lane of the ring
 * goes to its successor.
 */
export class RunnerPool {
  readonly #setup: RunnerSetup;
  readonly #log: Log;
  readonly #pool: Piscina<RunnerTask, RunnerResult>;
  readonly #choice: WorkerChoice;
  readonly #shifts: RunnerShifts;
  readonly #watched = new WeakSet<Worker>();
  /** Ids of threads whose code is loaded, and what comes when that of others is. */
  readonly #loaded = new Set<number>();
  readonly #loading = new Map<number, Promise<void>>();
  #isClosing = false;

  constructor(options: {
    readonly setup: RunnerSetup;
    readonly maxThreads: number;
    /** The most that a worker parses in one piece: the output of a plugin, the body of a post. */
    readonly maxInputBytes: number;
    readonly log: Log;
    readonly acceptLine: (line: LogLine) => void;
    /** A worker that had nothing to do for so long is ended, down to one. */
    readonly idleTimeoutMs?: number;
  }) {
    this.#setup = options.setup;
    this.#log = options.log;
    this.#choice = new WorkerChoice(options.maxThreads);
    const idleTimeoutMs = options.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
    this.#shifts = new RunnerShifts({
      choice: this.#choice,
      give: (port, begun) => this.#giveShift(port, begun),
      idleMs: Math.min(SHIFT_IDLE_MS, idleTimeoutMs),
    });
    this.#pool = new Piscina({
      filename: WORKER_FILE,
      workerData: options.setup,
      minThreads: 1,
      maxThreads: options.maxThreads,
      concurrentTasksPerWorker: NO_BOUND_OF_TASKS,
      loadBalancer: (task, workers) => this.#choice.choose(task, workers),
      idleTimeout: idleTimeoutMs,
      // Idle workers must not block in Atomics.wait: they have children and timers to look after.
      atomics: 'disabled',
      trackUnmanagedFds: false,
      recordTiming: false,
      resourceLimits: { maxOldGenerationSizeMb: heapMebibytes(options.maxInputBytes) },
    });
    for (const worker of this.#pool.threads) this.#awaitLoaded(worker);
    this.#pool.on('workerCreate', ({ id }) => {
      // The first ones are said to be there when they have only begun.
      if (!this.#loading.has(id)) this.#loaded.add(id);
      this.#watchNewWorkers();
    });
    this.#pool.on('message', (message: FromRunner) => options.acceptLine(message));
    this.#pool.on('error', (thrown) => {
      this.#log.error({ part: 'runner' }, `a runner worker failed: ${reasonOf(thrown)}`);
      this.#shifts.giveUpOpening();
    });
  }

  /** Begins a run; `over` hears when it has ended, or why it came to nothing: its worker died, or could not do it. */
  begin(run: PoolRun, over: RunOver): void {
    this.#shifts.begin(run, over);
  }

  /** The plugin with this key has no run under way, and there will be no other one of its plan. */
  forgetPlan(key: string): void {
    this.#shifts.forgetPlan(key);
  }

  /** Parses, checks and writes a large post in a worker. The task's body is moved there. */
  async post(task: PostTask): Promise<PostOutcome> {
    const outcome = await this.#give(this.#choice.weigh(task, POST_WEIGHT), [
      task.body.buffer as ArrayBuffer,
    ]);
    if (outcome === undefined) throw new Error('a runner answered a post as if it were a shift');
    return outcome;
  }

  /** Sends a signal to the process group of a run; false when it has no process now. */
  signalRun(runId: number, signal: NodeJS.Signals): boolean {
    const child = this.#children().find((noted) => noted.runId === runId);
    return child !== undefined && signalGroup(child.pid, signal);
  }

  /**
   * Sends a signal to the process groups of all runs.
   * @param reached pids of those that have got it, which do not get it again; those that get it now are added
   */
  signalAll(signal: NodeJS.Signals, reached = new Set<number>()): void {
    for (const { pid } of this.#children()) {
      if (!reached.has(pid) && signalGroup(pid, signal)) reached.add(pid);
    }
  }

  /** Ends the workers; runs that are not over by then are ended the hard way. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#shifts.close();
    this.signalAll('SIGKILL');
    await this.#untilLoaded();
    await this.#pool.destroy();
    this.signalAll('SIGKILL');
  }

  get threads(): number {
    return this.#pool.threads.length;
  }

  async #giveShift(port: MessagePort, begun: (threadId: number) => void): Promise<void> {
    await this.#give(this.#choice.weighShift({ type: 'shift', port }, begun), [port]);
  }

  async #give({ task, done }: WeighedTask<RunnerTask>, transferList: Transferable[] = []) {
    try {
      return await this.#pool.run(task, { transferList });
    } finally {
      done();
    }
  }

  #children() {
    const rows = Array.from({ length: rowCount(this.#setup.childTable) }, (_, row) => row);
    return rows.flatMap((row) => childrenOfRow(this.#setup.childTable, row));
  }

  /** A thread that is ended while it loads its code makes some versions of Node.js abort the whole process. */
  async #untilLoaded(): Promise<void> {
    const unknown = this.#pool.threads.filter(({ threadId }) => !this.#loaded.has(threadId));
    for (const worker of unknown) this.#awaitLoaded(worker);
    const loading = unknown.flatMap(({ threadId }) => this.#loading.get(threadId) ?? []);
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise((resolve) => {
      timer = setTimeout(resolve, LOAD_TIMEOUT_MS);
    });
    await Promise.race([Promise.all(loading), bound]);
    clearTimeout(timer);
  }

  /** A thread says that it is ready before it says anything else. */
  #awaitLoaded(worker: Worker): void {
    const { threadId } = worker;
    if (this.#loading.has(threadId)) return;
    const loading = new Promise<void>((resolve) => {
      worker.once('message', resolve);
      worker.once('exit', () => resolve());
    }).then(() => {
      this.#loaded.add(threadId);
    });
    this.#loading.set(threadId, loading);
    worker.once('exit', () => {
      this.#loaded.delete(threadId);
      this.#loading.delete(threadId);
    });
  }

  #watchNewWorkers(): void {
    for (const worker of this.#pool.threads) {
      if (this.#watched.has(worker)) continue;
      this.#watched.add(worker);
      const { threadId } = worker;
      // Only now nobody writes there any more: the pool's own event comes while the thread still ends.
      worker.once('exit', () => this.#cleanUpAfter(threadId));
    }
  }

  #cleanUpAfter(threadId: number): void {
    const lane = laneOf(this.#setup.ring, threadId);
    if (lane === undefined) return;
    const left = childrenOfRow(this.#setup.childTable, lane);
    for (const { pid } of left) signalGroup(pid, 'SIGKILL');
    clearRow(this.#setup.childTable, lane);
    for (const descriptor of takeLeftDescriptors(this.#setup.descriptorLedger, lane)) closeSync(descriptor);
    releaseLane(this.#setup.ring, lane);
    // It may have died between a record and the wake-up for it.
    new RingWake(this.#setup.ring).interrupt();
    if (left.length > 0 && !this.#isClosing) {
      this.#log.warn(
        { part: 'runner', processes: left.length },
        `ended ${counted(left.length, 'process', 'processes')} of a runner that died`,
      );
    }
  }
}

/**
 * A worker that runs out of heap may take the whole process along, and on a small machine the usual bound is too low
 * for the worst input: millions of empty objects need about 22 times the bytes of their text.
 */
function heapMebibytes(maxInputBytes: number): number {
  const usual = getHeapStatistics().heap_size_limit;
  return Math.ceil(Math.max(usual, HEAP_BASE_BYTES + HEAP_BYTES_PER_INPUT_BYTE * maxInputBytes) / MEBIBYTE);
}
