import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { startDeadline } from '../../shared/deadline.js';
import type { InspectorAnswer, InspectorJob } from '../../shared/host-messages.js';
import type { Warn } from './warnings.js';

/** What came of a job: its answer, `stuck` when it did not answer in time, or `untried`. */
export type InspectionResult = InspectorAnswer | 'stuck' | 'untried';

/**
 * Has files looked at that may not answer, one job after another in a thread apart.
 * @returns a result for each job, in their order
 */
export type Inspect = (jobs: readonly InspectorJob[]) => Promise<readonly InspectionResult[]>;

export interface InspectionsOptions {
  /** How long a job may take. */
  readonly timeoutMs: number;
  /** Starts a thread and gives it this end; the other end is closed when there can be none. */
  readonly startInspector: (port: MessagePort) => void;
  readonly warn: Warn;
}

/** Threads that hang at the same time; each holds some memory until its file answers. */
const STUCK_MAX = 8;
/** Beyond, what has answered before is still looked at: local disks, while a server with a hundred mounts is away. */
const STUCK_MAX_OF_KNOWN = 12;

/** Of what has answered before; more are forgotten and count as new. */
const ANSWERED_MAX = 10_000;

/** A busy machine takes a while to start a thread, which is not the file system's fault. */
const START_TIMEOUT_MS = 30_000;

/**
 * Whoever looks at a hung network mount hangs himself, in a call that nothing can end. So the looking is done by a
 * thread for each round; one that does not come back is left alone, its mount is not tried again until it does, and
 * another thread goes on with the rest.
 */
export class Inspections {
  readonly #options: InspectionsOptions;
  /** What threads hang at, by the key of the job. */
  readonly #stuck = new Set<string>();
  /** What has answered when it was looked at last. */
  readonly #answered = new Set<string>();
  readonly #ports = new Set<MessagePort>();
  #isClosed = false;

  constructor(options: InspectionsOptions) {
    this.#options = options;
  }

  /** See `Inspect`. */
  async inspect(jobs: readonly InspectorJob[]): Promise<readonly InspectionResult[]> {
    const results: InspectionResult[] = [];
    while (results.length < jobs.length && !this.#isClosed) {
      const next = jobs[results.length];
      if (next === undefined) break;
      if (this.#stuck.has(keyOf(next))) results.push('stuck');
      else if (!this.#mayTry(next)) results.push(this.#untried(next));
      else results.push(...(await this.#runThread(this.#firstToTry(jobs.slice(results.length)))));
    }
    return results;
  }

  /** Lets go of all threads; those that hang end by themselves when their file answers. */
  close(): void {
    this.#isClosed = true;
    for (const port of this.#ports) port.close();
  }

  #mayTry(job: InspectorJob): boolean {
    const key = keyOf(job);
    if (this.#stuck.has(key)) return false;
    return this.#stuck.size < (this.#answered.has(key) ? STUCK_MAX_OF_KNOWN : STUCK_MAX);
  }

  /** The jobs up to the next one that is not tried. */
  #firstToTry(jobs: readonly InspectorJob[]): readonly InspectorJob[] {
    const end = jobs.findIndex((job) => !this.#mayTry(job));
    return end < 0 ? jobs : jobs.slice(0, end);
  }

  #untried(job: InspectorJob): InspectionResult {
    this.#options.warn(
      `${this.#stuck.size} file systems do not answer; ${pathOf(job)}, and others that have not answered yet, are not looked at until one does`,
      { about: 'too many that do not answer' },
    );
    return 'untried';
  }

  /** Results of the first jobs: of all, or up to and with the one that gets stuck. */
  async #runThread(jobs: readonly InspectorJob[]): Promise<readonly InspectionResult[]> {
    const { timeoutMs, startInspector } = this.#options;
    const { port1: port, port2 } = new MessageChannel();
    this.#ports.add(port);
    const results: InspectionResult[] = [];
    const isLeft = await new Promise<boolean>((resolve) => {
      let callOff = startDeadline(START_TIMEOUT_MS + timeoutMs, () => resolve(true));
      port.on('message', (answer: InspectorAnswer | 'ready') => {
        callOff();
        if (answer !== 'ready') results.push(answer);
        if (results.length === jobs.length) resolve(false);
        else callOff = startDeadline(timeoutMs, () => resolve(true));
      });
      port.on('close', () => {
        callOff();
        resolve(false);
      });
      startInspector(port2);
      port.postMessage(jobs);
    });
    port.removeAllListeners();
    for (const job of jobs.slice(0, results.length)) this.#noteAnswer(job);
    const next = jobs[results.length];
    if (next !== undefined && isLeft) {
      this.#leave(port, next);
      return [...results, 'stuck'];
    }
    this.#forget(port);
    // There could be no thread, or it has failed: the next round tries again.
    return [...results, ...jobs.slice(results.length).map((): InspectionResult => 'untried')];
  }

  #noteAnswer(job: InspectorJob): void {
    if (this.#answered.size >= ANSWERED_MAX) this.#answered.clear();
    this.#answered.add(keyOf(job));
  }

  /** The first word that comes now, or the end of the thread, says that the file answers again. */
  #leave(port: MessagePort, job: InspectorJob): void {
    const key = keyOf(job);
    this.#stuck.add(key);
    this.#answered.delete(key);
    this.#options.warn(
      `${pathOf(job)} does not answer within ${this.#options.timeoutMs / 1000} s; it is not looked at again until it does`,
      { about: key },
    );
    const back = (): void => {
      this.#stuck.delete(key);
      this.#forget(port);
    };
    port.once('message', (answer: InspectorAnswer | 'ready') => {
      if (answer !== 'ready') this.#noteAnswer(job);
      back();
    });
    port.once('close', back);
    port.unref();
  }

  #forget(port: MessagePort): void {
    this.#ports.delete(port);
    port.removeAllListeners();
    port.close();
  }
}

function keyOf(job: InspectorJob): string {
  return `${job.kind} ${pathOf(job)}`;
}

function pathOf(job: InspectorJob): string {
  return job.kind === 'mount' ? job.path : job.folder;
}
