import { forgetChild, noteChild } from '../../shared/child-table.js';
import type { Log } from '../../shared/log.js';
import type { RunOutcome, RunSpec } from '../../shared/messages.js';
import { isTimeToLog } from '../../shared/notice-times.js';
import type { PointsDocument } from '../../shared/points-document.js';
import { notStarted } from '../../shared/run-metric.js';
import type { StreamControl } from '../../shared/stream-control.js';
import { type LimitedEnd, limitSentence } from './limits/limit-sentence.js';
import { type BoundsEnd, RunBounds } from './limits/run-bounds.js';
import { startPatiently } from './patient-start.js';
import { areFilesFine, filesProblem } from './plugin-files.js';
import { type PluginOutput, readPluginOutput } from './plugin-output.js';
import { followStream } from './plugin-stream.js';
import type { PreparedTask } from './prepared-task.js';
import { endOfText } from './process-output.js';
import { followProcess, type ProcessEnd } from './process-run.js';
import { badMetricsSentence, type RunVerdict, verdictOf } from './run-verdict.js';
import type { Runner } from './runner.js';
import type { StartedProcess } from './started-process.js';

/** One run of a plugin. */
export interface OrderedRun {
  readonly task: PreparedTask;
  /** Names it in the child table. */
  readonly runId: number;
  /** When it should have begun, in unix ms; undefined when nobody planned it. */
  readonly dueAtMs: number | undefined;
  /** Somebody waits for what comes of it, and may want to see what it printed. */
  readonly isAwaited: boolean;
}

/** Thousands of streams may each be in the middle of a line. */
const STREAM_LINE_BYTES_MAX = 1024 * 1024;

/** What a shell answers when a program is there and cannot be executed. */
const NOT_EXECUTED = 126;

/** Runs a plugin once. When this resolves, its points and the point about the run are in the ring. */
export async function runPlugin(run: OrderedRun, runner: Runner): Promise<RunOutcome> {
  const { spec, files, metrics } = run.task;
  const problem = areFilesFine(spec, files, runner.look) ? undefined : await refusal(spec, runner);
  const { outcome, isShortage = false } =
    problem === undefined
      ? await startAndFollow(run, runner)
      : { outcome: notStarted(NOT_EXECUTED, problem) };
  await writeDocument(spec, metrics.metricOf(outcome), runner);
  const level = outcome.problem === undefined || isShortage ? 'debug' : 'warn';
  runner.log[level](fieldsOf(spec, outcome), outcome.problem ?? `plugin ${spec.pluginName} ran`);
  return outcome;
}

/** A run that is over. */
interface Over {
  readonly outcome: RunOutcome;
  /** It came to nothing for want of processes, as others do at such a time: one line a minute tells of them all. */
  readonly isShortage?: boolean;
}

/** Why a plugin must not be run; undefined when it may. */
async function refusal(spec: RunSpec, { look, hashes }: Runner): Promise<string | undefined> {
  const problem = await filesProblem(spec, hashes, look);
  return problem && `plugin ${spec.pluginName} is not run: ${problem}`;
}

async function startAndFollow(run: OrderedRun, runner: Runner): Promise<Over> {
  const { spec, program } = run.task;
  const bounds = new RunBounds(spec, program, runner.limits, runner.log);
  const note = new ChildNote(run.runId, runner);
  let latenessMs: number | undefined;
  const request = {
    program,
    bounds,
    launched: (pid: number) => {
      note.set(pid);
      latenessMs = latenessOf(run);
    },
  };
  const { start, waitedMs } = await startPatiently(runner.engine, request, spec.timeoutMs, (problem) => {
    // Until the next try somebody else may get its number.
    note.clear();
    logShortage(problem, runner);
  });
  if (start.type === 'failed') {
    note.clear();
    const problem = couldNotBeStarted(spec, start.problem);
    const outcome = notStarted(start.value, problem, Math.round(waitedMs));
    return { outcome: { ...outcome, latenessMs: latenessOf(run) }, isShortage: start.isShortage };
  }
  const { process } = start;
  if (process.exit !== undefined) note.clear();
  else void process.exited.then(() => note.clear());
  return { outcome: await followPlugin(run, { process, bounds, waitedMs, latenessMs }, runner) };
}

/** Undefined for a run that nobody planned. */
function latenessOf({ dueAtMs }: OrderedRun): number | undefined {
  return dueAtMs === undefined ? undefined : Math.max(0, Math.round(Date.now() - dueAtMs));
}

function couldNotBeStarted({ pluginName }: RunSpec, problem: string): string {
  return `plugin ${pluginName} could not be started: ${problem}`;
}

function logShortage(problem: string, { setup, log }: Runner): void {
  if (!isTimeToLog(setup.noticeTimes, 'shortage')) return;
  log.warn({ part: 'runner' }, `plugins wait to be started: ${problem}; tried again until their time is up`);
}

/** A plugin's process, what it is bound to, and how much of the run's time was over when it was started. */
interface BoundProcess {
  readonly process: StartedProcess;
  readonly bounds: RunBounds;
  readonly waitedMs: number;
  readonly latenessMs: number | undefined;
}

async function followPlugin(
  { task, isAwaited }: OrderedRun,
  bound: BoundProcess,
  runner: Runner,
): Promise<RunOutcome> {
  const { spec, documents } = task;
  const { process, bounds, waitedMs, latenessMs } = bound;
  if (spec.stream !== undefined) return followStreamWithin(bound, task, spec.stream, runner);
  const { graceMs, maxOutputBytes } = spec;
  const end = await followProcess(process, { graceMs, maxOutputBytes, timeoutMs: spec.timeoutMs - waitedMs });
  const boundsEnd = bounds.end(process.pid, end.exit);
  const exitCode = end.endedBy === 'itself' ? end.exit?.code : undefined;
  const output = readPluginOutput({ stdout: end.stdout, exitCode }, spec, documents);
  for (const document of output.metrics.documents) await writeDocument(spec, document, runner);
  const verdict = verdictOf(spec, end, output, boundsEnd);
  logSideEffects(spec, end, boundsEnd, output, verdict, runner.log);
  return {
    status: verdict.status,
    value: verdict.value,
    problem: verdict.problem,
    exitCode,
    signal: end.exit?.signal,
    durationMs: end.durationMs,
    latenessMs,
    usage: end.exit?.usage,
    points: output.metrics.points,
    badMetrics: output.metrics.badCount,
    stdoutEnd: isAwaited ? endOfText(end.stdout) : '',
    stderrEnd: end.stderrEnd,
  };
}

async function followStreamWithin(
  { process, bounds }: BoundProcess,
  { spec, documents }: PreparedTask,
  control: StreamControl,
  { lane, log }: Runner,
): Promise<RunOutcome> {
  const maxLineBytes = Math.min(spec.maxOutputBytes, STREAM_LINE_BYTES_MAX);
  const explainEnd = (end: LimitedEnd) => limitSentence(end, spec, bounds.end(process.pid, end.exit));
  return followStream(process, {
    ...spec,
    control,
    maxLineBytes,
    settings: documents,
    lane,
    log,
    explainEnd,
  });
}

/** Lets the supervisor find the process of a run for as long as it lives, should this thread die. */
class ChildNote {
  readonly #runId: number;
  readonly #runner: Runner;
  #slot: number | undefined;

  constructor(runId: number, runner: Runner) {
    this.#runId = runId;
    this.#runner = runner;
  }

  set(pid: number): void {
    this.clear();
    const { setup, lane } = this.#runner;
    this.#slot = noteChild(setup.childTable, lane.lane, { pid, runId: this.#runId });
  }

  clear(): void {
    const { setup, lane } = this.#runner;
    if (this.#slot !== undefined) forgetChild(setup.childTable, lane.lane, this.#slot);
    this.#slot = undefined;
  }
}

/** Waits for room as long as it takes: points of a run that took place are not dropped. Mostly there is some. */
function writeDocument(
  { namespace }: RunSpec,
  document: PointsDocument,
  { lane }: Runner,
): Promise<unknown> | undefined {
  const record = { namespace, document, awaited: false };
  return lane.tryWrite(record) === undefined ? lane.write(record, () => false) : undefined;
}

function fieldsOf(task: RunSpec, outcome: RunOutcome) {
  const { status, value, durationMs, points, stderrEnd } = outcome;
  return {
    plugin: task.pluginName,
    namespace: task.namespace,
    status,
    value,
    durationMs,
    points,
    ...(stderrEnd !== '' && { stderr: stderrEnd }),
  };
}

/** Says what the verdict does not: metrics left out of a run that failed for another reason, processes ended. */
function logSideEffects(
  task: RunSpec,
  end: ProcessEnd,
  bounds: BoundsEnd,
  output: PluginOutput,
  verdict: RunVerdict,
  log: Log,
): void {
  const { pluginName: plugin, namespace } = task;
  const badMetrics = badMetricsSentence(`plugin ${plugin}`, task.format, output);
  if (badMetrics !== undefined && verdict.status !== 'ok') log.warn({ plugin, namespace }, badMetrics);
  const pids = [...new Set([...end.strays, ...bounds.left])];
  if (pids.length === 0) return;
  log.warn(
    { plugin, namespace, pids },
    `plugin ${plugin} left processes behind that kept its output open or outlived its end; they were ended`,
  );
}
