import { setImmediate as afterPolling } from 'node:timers/promises';
import { startDeadline } from '../../shared/deadline.js';
import { isOverWithin } from '../../shared/within.js';
import { BoundedOutput, OutputTail } from './process-output.js';
import type { OutputListener, ProcessExit, StartedProcess } from './started-process.js';

/** What a process may take up. */
export interface ProcessLimits {
  readonly timeoutMs: number;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** Most bytes of stdout; a process that prints more is ended. */
  readonly maxOutputBytes: number;
}

/** How a process ended and what it printed. */
export interface ProcessEnd {
  /** Who ended it: itself (or somebody outside), the time-out, or the bound of its output. */
  readonly endedBy: 'itself' | 'timeout' | 'output';
  /** Undefined when not even SIGKILL ended it, as with a process that hangs in the kernel. */
  readonly exit: ProcessExit | undefined;
  readonly durationMs: number;
  /** At most `maxOutputBytes`. */
  readonly stdout: Buffer;
  /** The last 16 KiB. */
  readonly stderrEnd: string;
  /** Processes that had left the group and were ended: with stdout or stderr in hand, or of a run that was ended. */
  readonly strays: readonly number[];
}

/** After the process is gone its outputs may take this long to end, before whoever still holds them is ended. */
const OUTPUT_END_MS = 250;
/** A process that is still there so long after SIGKILL is given up. */
const KILL_EFFECT_MS = 5000;

/**
 * Reads what a process prints until it is gone, and ends it when it takes too long or prints too much.
 * @returns no promise when the process is over already: that is what most are, and a promise has its price
 */
export function followProcess(
  process: StartedProcess,
  limits: ProcessLimits,
): ProcessEnd | Promise<ProcessEnd> {
  const outputs = new KeptOutputs(process, limits.maxOutputBytes);
  process.listen(outputs);
  const { exit } = process;
  if (exit !== undefined && exit.signal === undefined && process.areOutputsOver && !outputs.areTooMuch) {
    return { endedBy: 'itself', exit, durationMs: durationOf(process), ...outputs.kept(), strays: NOBODY };
  }
  return followToTheEnd(process, outputs, limits);
}

async function followToTheEnd(
  process: StartedProcess,
  outputs: KeptOutputs,
  limits: ProcessLimits,
): Promise<ProcessEnd> {
  const ending = new ProcessEnding(process, limits);
  outputs.whenTooMuch(() => ending.begin('output'));
  let haveOutputsEnded = false;
  const outputsEnded = process.outputsEnded.then(() => {
    haveOutputsEnded = true;
  });
  const exit = await Promise.race([process.exited, ending.inVain]);
  const durationMs = durationOf(process);
  ending.finish();
  const endedItself = ending.begunBy === undefined && exit?.signal === undefined;
  const isOver = (haveOutputsEnded || (await endsSoon(outputsEnded))) && endedItself;
  const strays = isOver ? NOBODY : await process.endStrays();
  process.closeOutputs();
  return { endedBy: ending.begunBy ?? 'itself', exit, durationMs, ...outputs.kept(), strays };
}

const NOBODY: readonly number[] = [];

function durationOf({ startedAt }: StartedProcess): number {
  return Math.round(performance.now() - startedAt);
}

/** Keeps what a process prints, up to a bound; closes its stdout behind that. */
class KeptOutputs implements OutputListener {
  readonly #process: StartedProcess;
  readonly #stdout: BoundedOutput;
  readonly #stderr = new OutputTail();
  #areTooMuch = false;
  #onTooMuch: (() => void) | undefined;

  constructor(process: StartedProcess, maxOutputBytes: number) {
    this.#process = process;
    this.#stdout = new BoundedOutput(maxOutputBytes);
  }

  get areTooMuch(): boolean {
    return this.#areTooMuch;
  }

  /** Says who hears of it when the process prints too much; at once when it has. */
  whenTooMuch(onTooMuch: () => void): void {
    this.#onTooMuch = onTooMuch;
    if (this.#areTooMuch) onTooMuch();
  }

  stdout(chunk: Buffer): void {
    if (this.#stdout.append(chunk)) return;
    this.#areTooMuch = true;
    this.#onTooMuch?.();
    this.#process.closeStdout();
  }

  stderr(chunk: Buffer): void {
    this.#stderr.append(chunk);
  }

  kept(): Pick<ProcessEnd, 'stdout' | 'stderrEnd'> {
    return { stdout: this.#stdout.bytes, stderrEnd: this.#stderr.text };
  }
}

/** Ends a process by force, in steps. Owns the timers of the time-out and of the steps. */
class ProcessEnding {
  readonly #process: StartedProcess;
  readonly #graceMs: number;
  readonly #callOffTimeout: () => void;
  #timer: NodeJS.Timeout | undefined;
  #begunBy: 'timeout' | 'output' | undefined;
  #isFinished = false;
  #giveUp: (() => void) | undefined;
  /** Resolves when the last step had no effect. */
  readonly inVain: Promise<undefined>;

  constructor(process: StartedProcess, limits: ProcessLimits) {
    this.#process = process;
    this.#graceMs = limits.graceMs;
    this.inVain = new Promise((resolve) => {
      this.#giveUp = () => resolve(undefined);
    });
    this.#callOffTimeout = startDeadline(limits.timeoutMs, () => this.begin('timeout'));
  }

  /** What made the first step necessary; undefined when none was. */
  get begunBy(): 'timeout' | 'output' | undefined {
    return this.#begunBy;
  }

  /** SIGTERM to the whole group, SIGKILL after the grace time. */
  begin(why: 'timeout' | 'output'): void {
    if (this.#begunBy !== undefined) return;
    this.#begunBy = why;
    if (this.#isFinished) return;
    this.#callOffTimeout();
    this.#process.killGroup('SIGTERM');
    this.#timer = setTimeout(() => this.#force(), this.#graceMs);
  }

  /** The process is gone: what its outputs still bring may make it one that printed too much, but nothing is done. */
  finish(): void {
    this.#isFinished = true;
    this.#callOffTimeout();
    clearTimeout(this.#timer);
  }

  #force(): void {
    this.#process.killGroup('SIGKILL');
    this.#timer = setTimeout(() => this.#giveUp?.(), KILL_EFFECT_MS);
  }
}

async function endsSoon(outputsEnded: Promise<unknown>): Promise<boolean> {
  if (await isOverWithin(OUTPUT_END_MS, outputsEnded)) return true;
  // When this thread was busy all the time, what the process had printed waits to be read right now.
  await afterPolling();
  return Promise.race([outputsEnded.then(() => true), afterPolling(false)]);
}
