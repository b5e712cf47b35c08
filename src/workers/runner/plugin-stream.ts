import { setImmediate as afterPolling } from 'node:timers/promises';
import { counted } from '../../shared/counted.js';
import type { Log } from '../../shared/log.js';
import type { RunOutcome, RunStatus } from '../../shared/messages.js';
import { signalNumber } from '../../shared/native/end-signal.js';
import type { PluginFormat } from '../../shared/plugin-format.js';
import type {
  BadMetric,
  DocumentSettings,
  EncodedMetrics,
  PointsDocument,
} from '../../shared/points-document.js';
import type { LaneWriter } from '../../shared/ring/lane-writer.js';
import { addCounts, isEndWanted, type StreamControl } from '../../shared/stream-control.js';
import { isOverWithin } from '../../shared/within.js';
import type { LimitedEnd } from './limits/limit-sentence.js';
import { LineSplitter, type TakenLines } from './line-splitter.js';
import { OutputTail } from './process-output.js';
import type { ProcessExit, StartedProcess } from './started-process.js';
import { StreamLines } from './stream-lines.js';

/** A long-running plugin and where its points go. */
export interface StreamSetup {
  readonly namespace: string;
  readonly pluginName: string;
  readonly format: PluginFormat;
  readonly control: StreamControl;
  /** Bytes of a line, at most. */
  readonly maxLineBytes: number;
  readonly settings: DocumentSettings;
  readonly lane: LaneWriter;
  readonly log: Log;
  /** Called once, when the process is gone: ends what is left of it, and says which limit it has met, if any. */
  explainEnd(end: LimitedEnd): string | undefined;
}

/** After the process is gone its outputs may take this long to end, before whoever still holds them is ended. */
const OUTPUT_END_MS = 250;
/** Bad lines are told of at once, and then so often at most. */
const WARN_EVERY_MS = 60_000;
const REASONS_SHOWN = 3;
const SIGNAL_VALUE = 128;
/**
 * One that prints without end gets turns of this length, in ms, and the others of its thread come between: what is no
 * metric may take 10 µs a line, and a chunk may have 30,000 lines.
 */
const TURN_MS = 5;

/**
 * Follows a long-running plugin to its end: every line's points are written at once. While the ring has no room nothing
 * is read, so that the process waits, too.
 */
export async function followStream(process: StartedProcess, setup: StreamSetup): Promise<RunOutcome> {
  const startedAt = performance.now();
  const reader = new StreamReader(process, setup);
  // The end may have been wanted before there was a process that could be told.
  if (isEndWanted(setup.control)) process.killGroup('SIGTERM');
  const exit = await process.exited;
  const durationMs = Math.round(performance.now() - startedAt);
  const why = setup.explainEnd({ exit, durationMs });
  const isCutOff = !(await reader.endsSoon()) || exit.signal !== undefined;
  if (isCutOff) await process.endStrays();
  await reader.finish(isCutOff);
  const verdict = isEndWanted(setup.control) ? ON_PURPOSE : verdictOf(setup, exit, why);
  return {
    ...verdict,
    exitCode: exit.code,
    signal: exit.signal,
    durationMs,
    usage: exit.usage,
    points: reader.points,
    badMetrics: reader.badMetrics,
    stdoutEnd: '',
    stderrEnd: reader.stderrEnd,
  };
}

type StreamVerdict = Pick<RunOutcome, 'status' | 'value' | 'problem'>;

const ON_PURPOSE: StreamVerdict = { status: 'ok', value: 0, problem: undefined };

function verdictOf(
  { pluginName }: StreamSetup,
  { code = 0, signal }: ProcessExit,
  limit: string | undefined,
): StreamVerdict {
  const why = limit === undefined ? '' : `: ${limit}`;
  if (signal !== undefined) {
    const value = SIGNAL_VALUE + signalNumber(signal);
    return { status: 'signal', value, problem: `plugin ${pluginName} was ended by ${signal}${why}` };
  }
  const status: RunStatus = code === 0 ? 'ok' : 'exit';
  return {
    status,
    value: code,
    problem: `plugin ${pluginName} runs all the time and exited with code ${code}${why}`,
  };
}

/** Reads the outputs of a process and writes what it makes of them. */
class StreamReader {
  points = 0;
  badMetrics = 0;
  readonly #process: StartedProcess;
  readonly #setup: StreamSetup;
  readonly #splitter: LineSplitter;
  readonly #lines: StreamLines;
  readonly #stderr = new OutputTail();
  /** Read, and not encoded yet: what does not fit into a turn. */
  readonly #unread: TakenLines[] = [];
  /** Undefined while nothing is left for another turn. */
  #encoding: Promise<void> | undefined;
  /** Encoded, and not in the ring yet: what came before reading stopped. */
  readonly #waiting: PointsDocument[] = [];
  /** Undefined while none waits. */
  #writing: Promise<void> | undefined;
  #warnedAtMs = Number.NEGATIVE_INFINITY;
  #untoldBad = 0;
  #shown: BadMetric[] = [];

  constructor(process: StartedProcess, setup: StreamSetup) {
    this.#process = process;
    this.#setup = setup;
    this.#splitter = new LineSplitter(setup.maxLineBytes);
    this.#lines = new StreamLines(setup.format, setup.settings);
    process.listen({
      stdout: (chunk) => this.#take(chunk),
      stderr: (chunk) => this.#stderr.append(chunk),
    });
  }

  get stderrEnd(): string {
    return this.#stderr.text;
  }

  /** Whether the outputs end, now that the process is gone; waiting for a turn or for room in the ring does not count. */
  async endsSoon(): Promise<boolean> {
    for (;;) {
      await this.#untilRead();
      if (await isOverWithin(OUTPUT_END_MS, this.#process.outputsEnded)) return true;
      if (!this.#isBusy) return false;
    }
  }

  /**
   * Closes the outputs and writes what is left.
   * @param isCutOff whoever printed was ended, perhaps in the middle of a line
   */
  async finish(isCutOff: boolean): Promise<void> {
    this.#process.closeOutputs();
    await this.#untilRead();
    const last = this.#splitter.finish();
    if (last.length > 0) this.#send(this.#lines.encodeLast(last, isCutOff));
    await this.#writing;
    this.#warnOfBad(true);
  }

  get #isBusy(): boolean {
    return this.#encoding !== undefined || this.#writing !== undefined;
  }

  async #untilRead(): Promise<void> {
    await this.#encoding;
    await this.#writing;
  }

  #take(chunk: Buffer): void {
    const taken = this.#splitter.take(chunk);
    if (taken.bytes.length > 0 || taken.tooLong > 0) this.#unread.push(taken);
    if (this.#encoding === undefined && !this.#encodeForATurn()) this.#encoding = this.#encodeInTurns();
    // Each time: Node.js reads on by itself what a process has left when it ends.
    if (this.#isBusy) this.#process.pauseStdout();
  }

  /** False when there is more. */
  #encodeForATurn(): boolean {
    const untilMs = performance.now() + TURN_MS;
    for (let taken = this.#unread.shift(); taken !== undefined; taken = this.#unread.shift()) {
      const { metrics, rest } = this.#lines.encode(taken, untilMs);
      this.#send(metrics);
      if (rest !== undefined) {
        this.#unread.unshift(rest);
        return false;
      }
    }
    return true;
  }

  async #encodeInTurns(): Promise<void> {
    do {
      await afterPolling();
      await this.#writing;
    } while (!this.#encodeForATurn());
    this.#encoding = undefined;
    this.#resumeIfIdle();
  }

  #resumeIfIdle(): void {
    if (!this.#isBusy) this.#process.resumeStdout();
  }

  #send({ documents, points, bad, badCount }: EncodedMetrics): void {
    this.points += points;
    this.badMetrics += badCount;
    addCounts(this.#setup.control, { points, badMetrics: badCount });
    this.#untoldBad += badCount;
    this.#shown.push(...bad.slice(0, REASONS_SHOWN - this.#shown.length));
    this.#warnOfBad(false);
    this.#write(documents);
  }

  #write(documents: readonly PointsDocument[]): void {
    this.#waiting.push(...documents);
    this.#writing ??= this.#writeNow() ? undefined : this.#writeWaiting();
  }

  /** Writes as many as there is room for; false when there are more. */
  #writeNow(): boolean {
    const { namespace, lane } = this.#setup;
    for (let document = this.#waiting[0]; document !== undefined; document = this.#waiting[0]) {
      if (lane.tryWrite({ namespace, document, awaited: false }) === undefined) return false;
      this.#waiting.shift();
    }
    return true;
  }

  async #writeWaiting(): Promise<void> {
    const { namespace, lane } = this.#setup;
    for (let document = this.#waiting[0]; document !== undefined; document = this.#waiting[0]) {
      await lane.write({ namespace, document, awaited: false }, () => false);
      this.#waiting.shift();
    }
    this.#writing = undefined;
    this.#resumeIfIdle();
  }

  #warnOfBad(isLast: boolean): void {
    if (this.#untoldBad === 0) return;
    const nowMs = performance.now();
    if (!isLast && nowMs - this.#warnedAtMs < WARN_EVERY_MS) return;
    this.#warnedAtMs = nowMs;
    const { pluginName: plugin, namespace, log } = this.#setup;
    const reasons = this.#shown.map(({ index, reason }) => `line ${index}: ${reason}`).join('; ');
    const more = this.#untoldBad > this.#shown.length ? '; …' : '';
    log.warn(
      { plugin, namespace, badMetrics: this.badMetrics },
      `plugin ${plugin} printed ${counted(this.#untoldBad, 'bad metric, which is', 'bad metrics, which are')} left out: ${reasons}${more}`,
    );
    this.#untoldBad = 0;
    this.#shown = [];
  }
}
