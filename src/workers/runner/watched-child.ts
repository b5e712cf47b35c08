import { readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { CodedError } from '../../shared/coded-error.js';
import type { CLibrary } from '../../shared/native/c-library.js';
import { closeDescriptor, readNow } from '../../shared/native/descriptors.js';
import type { Poller } from '../../shared/native/poller.js';
import { type ChildEnd, openEndDescriptor } from '../../shared/native/process-calls.js';
import type { OwnedProcess, StartResult, TakenEnd } from './owned-process.js';
import type { OutputListener, ProcessExit } from './started-process.js';

/** What of a child can become readable; with its slot this makes a poller's key. */
export const SOURCE = { stdout: 0, stderr: 1, end: 2 } as const;

/** One of them. */
export type Source = (typeof SOURCE)[keyof typeof SOURCE];

/** Keys of a slot. */
export const KEYS_PER_SLOT = 4;

/** One look reads this much of an output at most, so that a child that prints without end holds up no other. */
const CHUNKS_PER_LOOK = 8;
const CHUNK = Buffer.allocUnsafeSlow(65_536);

/** A child that was started here. Owns the ends of its outputs, and the descriptor that tells of its end. */
export class WatchedChild {
  readonly pid: number;
  readonly slot: number;
  readonly #library: CLibrary;
  readonly #poller: Poller;
  readonly #process: OwnedProcess;
  readonly #outputs: [number, number];
  readonly #isPolled: [boolean, boolean] = [false, false];
  readonly #names: string[] = [];
  #endDescriptor: number | undefined;
  readonly #onOver: (child: WatchedChild) => void;
  readonly #onUnpolled: (child: WatchedChild) => void;
  #listener: OutputListener | undefined;
  #exit: ProcessExit | undefined;
  #isFinished = false;
  #isPaused = false;
  /** What came before there was a listener. */
  #unheard: [Source, Buffer][] = [];
  /** Of those who wait; most children are over before anybody does. */
  #resolveStart: ((result: StartResult) => void) | undefined;
  #exited: Deferred<ProcessExit> | undefined;
  #outputsEnded: Deferred<void> | undefined;

  constructor(options: {
    readonly library: CLibrary;
    readonly poller: Poller;
    readonly slot: number;
    readonly process: OwnedProcess;
    /** The read ends of its stdout and stderr, which are taken over. */
    readonly outputs: readonly [number, number];
    /** Called once, when neither the process nor anything of its outputs is left. */
    readonly onOver: (child: WatchedChild) => void;
    /** Called when it was left to the poller, which has no room for it now: it must be looked at again. */
    readonly onUnpolled: (child: WatchedChild) => void;
  }) {
    this.#library = options.library;
    this.#poller = options.poller;
    this.#process = options.process;
    this.slot = options.slot;
    this.pid = options.process.pid;
    this.#outputs = [...options.outputs];
    this.#onOver = options.onOver;
    this.#onUnpolled = options.onUnpolled;
  }

  /** Neither the process nor anything of its outputs is left. */
  get isOver(): boolean {
    return this.#exit !== undefined && this.areOutputsOver;
  }

  get areOutputsOver(): boolean {
    const [stdout, stderr] = this.#outputs;
    return stdout === CLOSED && stderr === CLOSED;
  }

  /** How the start of a child came out that is starting; no end is told before. To be called before any look at it. */
  begun(): Promise<StartResult> {
    return new Promise((resolve) => {
      this.#resolveStart = resolve;
    });
  }

  /** Undefined until it is gone. */
  get exit(): ProcessExit | undefined {
    return this.#exit;
  }

  get exited(): Promise<ProcessExit> {
    if (this.#exit !== undefined) return Promise.resolve(this.#exit);
    this.#exited ??= newDeferred();
    return this.#exited.promise;
  }

  get outputsEnded(): Promise<void> {
    if (this.areOutputsOver) return Promise.resolve();
    this.#outputsEnded ??= newDeferred();
    return this.#outputsEnded.promise;
  }

  listen(listener: OutputListener): void {
    this.#listener = listener;
    const unheard = this.#unheard;
    this.#unheard = [];
    for (const [source, chunk] of unheard) this.#hear(source, chunk);
  }

  /** Whether it is not known yet how its start came out. */
  get isStarting(): boolean {
    return this.#process.isStarting;
  }

  /** Ends one whose program does not begin: alone, as it may not have a group yet. */
  giveUpStart(): void {
    this.#library.functions.kill(this.pid, constants.signals.SIGKILL);
    const failure = new CodedError(
      'ETIMEDOUT',
      'its program had not begun after 30 seconds, and it was ended',
    );
    this.#resolveStart?.({ failure, cgroupError: undefined, limitsError: undefined });
  }

  /**
   * Has the poller tell of its end. Most children never come to that, and to that of its outputs: they end first.
   * @returns false when it cannot: whether it has ended must be looked for
   */
  pollEnd(): boolean {
    this.#endDescriptor ??= this.#openEnd();
    return this.#endDescriptor !== undefined;
  }

  /** Has the poller tell of its outputs, which are read at its end else. */
  pollOutputs(): void {
    for (const source of OUTPUTS) {
      const descriptor = this.#outputs[source];
      if (descriptor === CLOSED || this.#isPolled[source] || this.#rests(source)) continue;
      this.#isPolled[source] = this.#poller.add(descriptor, this.slot * KEYS_PER_SLOT + source);
    }
  }

  /** Whether nothing of its outputs can come without the poller knowing. */
  get hasOutputsPolled(): boolean {
    return OUTPUTS.every(
      (source) => this.#outputs[source] === CLOSED || this.#isPolled[source] || this.#rests(source),
    );
  }

  /** Reads what is there of an output. True when there may be more. */
  readOutput(source: typeof SOURCE.stdout | typeof SOURCE.stderr): boolean {
    for (let chunk = 0; chunk < CHUNKS_PER_LOOK; chunk += 1) {
      const descriptor = this.#outputs[source];
      if (descriptor === CLOSED || this.#rests(source)) return false;
      const bytes = readNow(this.#library, descriptor, CHUNK);
      if (bytes === undefined) return false;
      if (bytes === 0) {
        this.#closeOutput(source);
        return false;
      }
      this.#hear(source, CHUNK.subarray(0, bytes));
    }
    return true;
  }

  /** Looks whether it has ended, and takes its end and the rest of what it printed. */
  takeEnd(): boolean {
    if (this.#exit !== undefined) return true;
    const [stdout, stderr] = this.#outputs;
    const look = this.#process.look([this.#isPaused ? CLOSED : stdout, stderr]);
    if (look?.start !== undefined) this.#resolveStart?.(look.start);
    if (look?.end === undefined) return false;
    this.#end(look.end);
    return true;
  }

  #end({ end, isCgroupEmpty, outputs }: TakenEnd): void {
    this.#exit = end === undefined ? UNKNOWN_END : exitOf(end, isCgroupEmpty);
    if (this.#endDescriptor !== undefined) {
      this.#poller.remove(this.#endDescriptor);
      closeDescriptor(this.#library, this.#endDescriptor);
    }
    for (const source of OUTPUTS) {
      const { bytes, isOver } = outputs[source];
      if (bytes.length > 0) this.#hear(source, bytes);
      if (!isOver) this.readOutput(source);
      // Whoever hears it may have closed it.
      else if (this.#outputs[source] !== CLOSED) this.#closeOutput(source);
    }
    // Whoever still holds them may print, or end, later.
    this.pollOutputs();
    this.#exited?.resolve(this.#exit);
    this.#finishIfOver();
  }

  killGroup(signal: NodeJS.Signals): void {
    // Nobody there, or somebody of another user: beyond reach.
    if (this.#exit === undefined) this.#library.functions.kill(-this.pid, constants.signals[signal]);
  }

  pauseStdout(): void {
    this.#isPaused = true;
    if (this.#isPolled[SOURCE.stdout]) this.#poller.remove(this.#outputs[SOURCE.stdout]);
    this.#isPolled[SOURCE.stdout] = false;
  }

  resumeStdout(): void {
    this.#isPaused = false;
    this.pollOutputs();
    if (!this.hasOutputsPolled) this.#onUnpolled(this);
  }

  closeStdout(): void {
    this.#closeEarly(SOURCE.stdout);
  }

  closeOutputs(): void {
    for (const source of OUTPUTS) this.#closeEarly(source);
  }

  /** The kernel's names of those outputs that somebody may still hold. */
  outputNames(): readonly string[] {
    return [...this.#names, ...this.#outputs.flatMap(nameOf)];
  }

  #openEnd(): number | undefined {
    const descriptor = openEndDescriptor(this.#library, this.pid);
    if (descriptor === undefined) return undefined;
    if (this.#poller.add(descriptor, this.slot * KEYS_PER_SLOT + SOURCE.end)) return descriptor;
    closeDescriptor(this.#library, descriptor);
    return undefined;
  }

  #rests(source: Source): boolean {
    return source === SOURCE.stdout && this.#isPaused;
  }

  #finishIfOver(): void {
    if (!this.isOver || this.#isFinished) return;
    this.#isFinished = true;
    this.#onOver(this);
  }

  #hear(source: Source, chunk: Buffer): void {
    if (this.#listener === undefined) this.#unheard.push([source, Buffer.from(chunk)]);
    else if (source === SOURCE.stdout) this.#listener.stdout(chunk);
    else this.#listener.stderr(chunk);
  }

  #closeEarly(source: typeof SOURCE.stdout | typeof SOURCE.stderr): void {
    const descriptor = this.#outputs[source];
    if (descriptor === CLOSED) return;
    this.#names.push(...nameOf(descriptor));
    this.#closeOutput(source);
  }

  #closeOutput(source: typeof SOURCE.stdout | typeof SOURCE.stderr): void {
    const descriptor = this.#outputs[source];
    if (this.#isPolled[source]) this.#poller.remove(descriptor);
    closeDescriptor(this.#library, descriptor);
    this.#outputs[source] = CLOSED;
    if (!this.areOutputsOver) return;
    this.#outputsEnded?.resolve();
    this.#finishIfOver();
  }
}

/** A promise, and the way to keep it. */
interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

function newDeferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((keep) => {
    resolve = keep;
  });
  return { promise, resolve };
}

const CLOSED = -1;
const OUTPUTS = [SOURCE.stdout, SOURCE.stderr] as const;

function exitOf({ code, signal, usage }: ChildEnd, isCgroupEmpty: boolean | undefined): ProcessExit {
  return { code, signal, usage, isCgroupEmpty };
}

/** Somebody else took it, which nobody here does. */
const UNKNOWN_END: ProcessExit = { code: undefined, signal: undefined, usage: undefined };

/** `pipe:[4711]`, the same for both of its ends. */
function nameOf(descriptor: number): string[] {
  if (descriptor === CLOSED) return [];
  try {
    return [readlinkSync(`/proc/self/fd/${descriptor}`)];
  } catch {
    // Without /proc there is no search for strays either.
    return [];
  }
}
