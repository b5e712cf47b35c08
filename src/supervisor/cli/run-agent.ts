import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import type { DrainOutcome } from '../../shared/messages.js';
import { ownIdentity } from '../../shared/process-identity.js';
import type { Config } from '../config/config.js';
import type { LoadedConfig } from '../config/load-config.js';
import { type RunningAgent, startAgent } from '../lifecycle/agent.js';
import { agentVersion } from '../lifecycle/agent-version.js';
import { resolvePluginsUser } from '../lifecycle/plugins-user.js';
import type { PreparedConfig } from '../lifecycle/prepared-config.js';
import { RunFolder, readRunFolder } from '../lifecycle/run-folder.js';
import type { RunRecord } from '../lifecycle/run-record.js';
import { AgentLog } from '../log/agent-log.js';
import { wantsColor } from '../log/readable-line.js';
import { EXIT } from './exit-code.js';
import { endProcess } from './process-end.js';
import { type StopRequest, type StopWatch, watchForStop } from './stop-request.js';

/** How an agent runs in this process. */
export interface RunAgentOptions {
  /** True: a person watches, so log lines go to stderr too, and a terminal that closes ends the agent. */
  readonly foreground: boolean;
  /** Called when the agent is up. */
  readonly onReady: (running: {
    readonly pid: number;
    readonly tcpAddress: string;
    readonly socketPath: string;
  }) => unknown;
}

/** The agent has bounds of its own for everything it waits for; this one is for a mistake in them. */
const STOP_BOUND_MS = 50_000;

/**
 * Runs the agent in this process until a signal or an error ends it, and leaves the run folder as it should be.
 * Resolves to the exit status.
 * @throws CodedError when it could not be started
 */
export async function runAgent(loaded: PreparedConfig, options: RunAgentOptions): Promise<number> {
  const { agent, log: logTable, runner } = loaded.config;
  const log = openLog(logTable, options.foreground);
  // Before anything is acquired, so that a signal cannot end the process with something left behind.
  const watch = watchForStop(stopSignals(options), (request) => onFurtherRequest(log, request));
  try {
    resolvePluginsUser(agent.pluginsuser, runner.allowroot);
    return await runWithFolder(loaded, options, { log, watch });
  } finally {
    await log.close();
    watch.close();
  }
}

async function runWithFolder(
  loaded: PreparedConfig,
  options: RunAgentOptions,
  { log, watch }: Omit<Run, 'runFolder'>,
): Promise<number> {
  const runFolder = RunFolder.claim(loaded.config.agent.rundir, recordOf(loaded));
  const release = () => runFolder.release();
  // For every way out of the process, also one in the middle of stopping.
  process.once('exit', release);
  try {
    return await runUntilStopped(loaded, options, { runFolder, log, watch });
  } finally {
    release();
    process.off('exit', release);
  }
}

/** A terminal that closes sends SIGHUP, which `nohup` says to ignore; the launcher passes that on. */
function stopSignals({ foreground }: RunAgentOptions): NodeJS.Signals[] {
  if (foreground && process.env.AGENT_NOHUP === undefined) return ['SIGINT', 'SIGTERM', 'SIGHUP'];
  process.on('SIGHUP', () => {});
  return ['SIGINT', 'SIGTERM'];
}

function openLog(table: Config['log'], foreground: boolean): AgentLog {
  return new AgentLog({
    folder: table.logdir,
    level: table.loglevel,
    rotateSize: table.logrotatesize,
    rotateCount: table.logrotatenum,
    foreground,
    color: foreground && wantsColor(process.stderr.isTTY === true, process.env),
  });
}

interface Run {
  readonly runFolder: RunFolder;
  readonly log: AgentLog;
  readonly watch: StopWatch;
}

async function runUntilStopped(
  loaded: PreparedConfig,
  { foreground, onReady }: RunAgentOptions,
  { runFolder, log, watch }: Run,
): Promise<number> {
  for (const warning of loaded.warnings) log.warn({}, warning);
  for (const failure of loaded.failures) log.error({}, failure);
  // From the request on, also while the agent is still starting.
  let backstop: NodeJS.Timeout | undefined;
  void watch.asked.then(() => {
    backstop = setTimeout(() => endAtOnce(log, TOO_SLOW), STOP_BOUND_MS);
  });
  try {
    const running = await startAgent(loaded, { log });
    const { tcpAddress, socketPath } = running;
    runFolder.setAddresses(tcpAddress, socketPath);
    await onReady({ pid: process.pid, tcpAddress, socketPath });
    return await stopWhenAsked(running, { runFolder, log, watch });
  } catch (error) {
    // In the foreground the caller says it, on the same terminal.
    if (!foreground) log.fatal({}, `the agent could not be started: ${reasonOf(error)}`);
    throw error;
  } finally {
    clearTimeout(backstop);
  }
}

async function stopWhenAsked(running: RunningAgent, { runFolder, log, watch }: Run): Promise<number> {
  const request = await watch.asked;
  if (request.kind === 'signal') log.info({}, `stopping, as ${request.signal} asks`);
  else
    log.fatal(
      { stack: stackOf(request.error) },
      `stopping after an error in the agent: ${reasonOf(request.error)}`,
    );
  noteRemains(runFolder, await running.stop(), log);
  log.info({}, 'stopped');
  return request.kind === 'signal' ? EXIT.ok : EXIT.failure;
}

/** For `agent stop`, which says it to whoever has called it. */
function noteRemains(runFolder: RunFolder, outcome: DrainOutcome, log: Log): void {
  const { undeliveredRecords, undeliveredPoints, keptRecords, keptPoints } = outcome;
  if (undeliveredRecords === 0 && keptRecords === 0) return;
  try {
    runFolder.setRemains({
      ...(undeliveredRecords > 0 && { lost: { points: undeliveredPoints, documents: undeliveredRecords } }),
      ...(keptRecords > 0 && { kept: { points: keptPoints, documents: keptRecords } }),
    });
  } catch (error) {
    log.warn({}, `"agent stop" cannot be told what was lost or kept: ${reasonOf(error)}`);
  }
}

const TOO_SLOW = `still not stopped after ${STOP_BOUND_MS / 1000} s, ending at once; points in memory are lost`;

function onFurtherRequest(log: AgentLog, request: StopRequest): void {
  if (request.kind === 'signal' && request.signal === 'SIGINT') {
    endAtOnce(log, 'SIGINT once more, ending at once; points in memory are lost');
  } else if (request.kind === 'signal') {
    // A second `agent stop`, or the system's own beside one: nobody who wants points to be lost.
    log.info({}, `${request.signal} once more: it is stopping already, only SIGINT ends it at once`);
  } else {
    log.error(
      { stack: stackOf(request.error) },
      `an error in the agent while it stops: ${reasonOf(request.error)}`,
    );
  }
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}

function endAtOnce(log: AgentLog, sentence: string): void {
  log.fatal({}, sentence);
  // Closing is bounded, and writes the sentence.
  void log.close().finally(() => endProcess(EXIT.failure));
}

function recordOf({ config, file }: LoadedConfig): RunRecord {
  const { pluginsdir, statedir, rundir } = config.agent;
  return {
    ...ownIdentity(),
    version: agentVersion(),
    configFile: file,
    pluginsdir,
    statedir,
    spooldir: config.spool.dir,
    logdir: config.log.logdir,
    startedAt: new Date().toISOString(),
    madeFolders: foldersToMake(config, readRunFolder(rundir).record),
  };
}

/** Folders that this run, or the one before it on the same run folder, did not find but make; those above them, too. */
function foldersToMake({ agent, spool }: Config, last: RunRecord | undefined): string[] {
  const known = new Set(last?.madeFolders);
  const used = [agent.pluginsdir, agent.statedir, agent.rundir];
  if (spool.mode !== 'off' || known.has(spool.dir)) used.push(spool.dir);
  const all = new Set(used.flatMap((folder) => [folder, ...foldersAbove(folder)]));
  return [...all].filter((folder) => known.has(folder) || !existsSync(folder));
}

function foldersAbove(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [] : [above, ...foldersAbove(above)];
}
