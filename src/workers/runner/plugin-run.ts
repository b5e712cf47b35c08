import { join } from 'node:path';
import { forgetChild, noteChild } from '../../shared/child-table.js';
import type { Log } from '../../shared/log.js';
import { pluginMetricPrefix } from '../../shared/measurement.js';
import { PLUGIN_FILE, type RunnerSetup, type RunOutcome, type RunTask } from '../../shared/messages.js';
import { isTimeToLog } from '../../shared/notice-times.js';
import type { DocumentSettings, PointsDocument } from '../../shared/points-document.js';
import type { LaneWriter } from '../../shared/ring/lane-writer.js';
import { notStarted, runMetric } from '../../shared/run-metric.js';
import type { StreamControl } from '../../shared/stream-control.js';
import type { FileHashes } from './file-hashes.js';
import type { OwnersOf } from './file-owners.js';
import { type LimitedEnd, limitSentence } from './limits/limit-sentence.js';
import type { ProcessLimits } from './limits/process-limits.js';
import { type BoundsEnd, boundsOf, type RunBounds } from './limits/run-bounds.js';
import { startPatiently } from './patient-start.js';
import { type PluginOutput, readPluginOutput } from './plugin-output.js';
import { stateFolderProblem } from './plugin-state.js';
import { followStream } from './plugin-stream.js';
import { trustProblem } from './plugin-trust.js';
import { followProcess, type ProcessEnd } from './process-run.js';
import { badMetricsSentence, type RunVerdict, verdictOf } from './run-verdict.js';
import type { ProcessEngine, StartedProcess } from './started-process.js';

/** What the runs of a worker share. */
export interface Runner {
  readonly setup: RunnerSetup;
  /** The worker's lane of the ring; its number is also the worker's row of the child table. */
  readonly lane: LaneWriter;
  /** How it starts plugins. */
  readonly engine: ProcessEngine;
  readonly log: Log;
  readonly hashes: FileHashes;
  /** Tells whose files are. */
  readonly look: OwnersOf;
  readonly limits: ProcessLimits;
}

/** Thousands of streams may each be in the middle of a line. */
const STREAM_LINE_BYTES_MAX = 1024 * 1024;

/** What a shell answers when a program is there and cannot be executed. */
const NOT_EXECUTED = 126;

/** Runs a plugin once. When this resolves, its points and the point about the run are in the ring. */
export async function runPlugin(task: RunTask, runner: Runner): Promise<RunOutcome> {
  const outcome = await outcomeOf(task, runner);
  const { setup } = runner;
  const metric = runMetric(task, outcome, { database: databaseOf(task, setup), host: setup.host });
  await writeDocument(task, metric, runner);
  logRun(task, outcome, runner.log);
  return outcome;
}

async function outcomeOf(task: RunTask, runner: Runner): Promise<RunOutcome> {
  const plugin = `plugin ${task.pluginName}`;
  const distrust = await trustProblem(task, runner.hashes, runner.look);
  if (distrust !== undefined) return notStarted(NOT_EXECUTED, `${plugin} is not run: ${distrust}`);
  const stateProblem = stateFolderProblem(task.stateFolder, task.user, runner.look);
  if (stateProblem !== undefined) return notStarted(NOT_EXECUTED, `${plugin} is not run: ${stateProblem}`);
  return startAndFollow(task, runner);
}

async function startAndFollow(task: RunTask, runner: Runner): Promise<RunOutcome> {
  const bounds = boundsOf(task, runner.limits, runner.log);
  const note = new ChildNote(task.runId, runner);
  let latenessMs: number | undefined;
  const request = {
    file: join(task.folder, PLUGIN_FILE),
    args: task.parameters,
    folder: task.folder,
    environment: task.environment,
    user: task.user,
    bounds,
    launched: (pid: number) => {
      note.set(pid);
      latenessMs = latenessOf(task);
    },
  };
  const { start, waitedMs } = await startPatiently(runner.engine, request, task.timeoutMs, (problem) =>
    logShortage(problem, runner),
  );
  if (start.type === 'failed') {
    note.clear();
    const problem = couldNotBeStarted(task, start.problem);
    return { ...notStarted(start.value, problem, Math.round(waitedMs)), latenessMs: latenessOf(task) };
  }
  const { process } = start;
  void process.exited.then(() => note.clear());
  return followPlugin(task, { process, bounds, waitedMs, latenessMs }, runner);
}

/** Undefined for a run that nobody planned. */
function latenessOf({ dueAtMs }: RunTask): number | undefined {
  return dueAtMs === undefined ? undefined : Math.max(0, Math.round(Date.now() - dueAtMs));
}

function couldNotBeStarted({ pluginName }: RunTask, problem: string): string {
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
  task: RunTask,
  { process, bounds, waitedMs, latenessMs }: BoundProcess,
  runner: Runner,
): Promise<RunOutcome> {
  if (task.stream !== undefined) return followStreamWithin(process, bounds, task, task.stream, runner);
  const { graceMs, maxOutputBytes } = task;
  const end = await followProcess(process, { graceMs, maxOutputBytes, timeoutMs: task.timeoutMs - waitedMs });
  const boundsEnd = bounds.end(process.pid, end.exit);
  const exitCode = end.endedBy === 'itself' ? end.exit?.code : undefined;
  const output = readPluginOutput({ stdout: end.stdout, exitCode }, task, documentSettings(task, runner));
  for (const document of output.metrics.documents) await writeDocument(task, document, runner);
  const verdict = verdictOf(task, end, output, boundsEnd);
  logSideEffects(task, end, boundsEnd, output, verdict, runner.log);
  const { status, value, problem } = verdict;
  return {
    status,
    value,
    problem,
    exitCode,
    signal: end.exit?.signal,
    durationMs: end.durationMs,
    latenessMs,
    usage: end.exit?.usage,
    points: output.metrics.points,
    badMetrics: output.metrics.badCount,
    stdoutEnd: end.stdoutEnd,
    stderrEnd: end.stderrEnd,
  };
}

async function followStreamWithin(
  process: StartedProcess,
  bounds: RunBounds,
  task: RunTask,
  control: StreamControl,
  runner: Runner,
): Promise<RunOutcome> {
  const { lane, log } = runner;
  const settings = documentSettings(task, runner);
  const maxLineBytes = Math.min(task.maxOutputBytes, STREAM_LINE_BYTES_MAX);
  const explainEnd = (end: LimitedEnd) => limitSentence(end, task, bounds.end(process.pid, end.exit));
  return followStream(process, { ...task, control, maxLineBytes, settings, lane, log, explainEnd });
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

function documentSettings(task: RunTask, { setup, lane }: Runner): DocumentSettings {
  return {
    database: databaseOf(task, setup),
    measurementPrefix: pluginMetricPrefix(task.pluginName),
    host: setup.host,
    maxBytes: Math.min(setup.maxDocumentBytes, lane.maxDocumentBytes),
  };
}

function databaseOf(task: RunTask, setup: RunnerSetup): string {
  return setup.databasePrefix + task.namespace;
}

/** Waits for room as long as it takes: points of a run that took place are not dropped. */
async function writeDocument(task: RunTask, document: PointsDocument, { lane }: Runner): Promise<void> {
  await lane.write({ namespace: task.namespace, document, awaited: false }, () => false);
}

function logRun(task: RunTask, outcome: RunOutcome, log: Log): void {
  const { status, value, durationMs, points, problem, stderrEnd } = outcome;
  const fields = {
    plugin: task.pluginName,
    namespace: task.namespace,
    status,
    value,
    durationMs,
    points,
    ...(stderrEnd !== '' && { stderr: stderrEnd }),
  };
  if (problem !== undefined) log.warn(fields, problem);
  else log.debug(fields, `plugin ${task.pluginName} ran`);
}

/** Says what the verdict does not: metrics left out of a run that failed for another reason, processes ended. */
function logSideEffects(
  task: RunTask,
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
