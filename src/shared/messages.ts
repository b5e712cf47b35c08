/** Everything that passes between the supervisor and its workers, besides the ring. */
import type { MessagePort } from 'node:worker_threads';
import type { LogLevel, LogLine } from './log.js';
import type { ResourceUsage } from './native/process-calls.js';
import type { OutputSettings, SpoolSettings } from './output-settings.js';
import type { OutputStatus } from './output-status.js';
import type { PluginFormat } from './plugin-format.js';
import type { PluginCgroup, PluginLimits } from './plugin-limits.js';
import type { PluginTrust } from './plugin-trust.js';
import type { BadMetric } from './points-document.js';
import type { StreamControl } from './stream-control.js';

/** The user that plugins run as. */
export interface PluginUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  readonly home: string;
}

/** Ways to start plugins. */
export const ENGINE_CHOICES = ['auto', 'launcher', 'posix_spawn', 'cross-spawn'] as const;

/** How plugins are started; `auto` is the fastest way that works. */
export type EngineChoice = (typeof ENGINE_CHOICES)[number];

/** What a runner worker is given when it starts. */
export interface RunnerSetup {
  readonly ring: SharedArrayBuffer;
  readonly childTable: SharedArrayBuffer;
  /** Descriptors that runners hold, a row by the number of the lane. */
  readonly descriptorLedger: SharedArrayBuffer;
  /** First lane that runners may claim; those below belong to others. */
  readonly firstLane: number;
  /** Value of the tag `host`. */
  readonly host: string;
  /** In front of the namespace in a document's `database`. */
  readonly databasePrefix: string;
  readonly maxDocumentBytes: number;
  readonly engine: EngineChoice;
  /** True: programs may gain rights by set-user-id files. */
  readonly allowSetuid: boolean;
  /** When which kind of trouble was last logged, for all runners together. */
  readonly noticeTimes: SharedArrayBuffer;
  readonly logLevel: LogLevel;
}

/** What goes to a runner worker as a task of the pool. */
export type RunnerTask = Shift | PostTask;

/** A time in which a worker takes runs from a port, as each of them as a task of the pool costs more than all the rest. */
export interface Shift {
  readonly type: 'shift';
  /** Brings `ToShift`, takes `RunsEnded`; is transferred. */
  readonly port: MessagePort;
}

/** What a worker on shift is told: of runs, or that there come no more; then it has none under way. */
export type ToShift = RunBatch | { readonly type: 'end' };

/** Runs that begin together in one worker. */
export interface RunBatch {
  readonly type: 'runs';
  /** Plugins whose plan the worker need not remember any more, by key; to be heeded before `plans`. */
  readonly forgotten: readonly string[];
  /** What the worker must remember for these runs and those to come; each replaces what was there for its plugin. */
  readonly plans: readonly RunPlan[];
  readonly runs: readonly RunOrder[];
}

/** A run as a worker is given it: whole, or what sets it apart from others of the same plan. */
export type RunOrder = RunTask | PlannedRun;

/** What the scheduled runs of a plugin have in common. A worker is told once, as most of a run is that. */
export interface RunPlan {
  /** The plugin's key. */
  readonly key: string;
  readonly task: RunSpec;
}

/** A run of a plan that the worker has. Nobody waits for it: of its outcome, a summary is told. */
export interface PlannedRun {
  /** The plan's key. */
  readonly plan: string;
  readonly runId: number;
  readonly dueAtMs: number | undefined;
}

/** Name of the executable at the root of a plugin's repository. */
export const PLUGIN_FILE = 'plugin';

/** One run of a plugin. */
export interface RunTask extends RunSpec {
  /** Names the run in the child table; a positive 32-bit number. */
  readonly runId: number;
  /** When it should have begun, in unix ms; undefined when nobody planned it. */
  readonly dueAtMs?: number | undefined;
}

/** How a plugin is run. */
export interface RunSpec {
  readonly namespace: string;
  /** Without `PLUGIN.` in front. */
  readonly pluginName: string;
  /** The registry's text for the repository, for the tag `repo`. */
  readonly repo: string;
  /** Tag `type` of the run metric: on schedule, called for, or all the time. */
  readonly trigger: 'regular' | 'call' | 'stream';
  /** Folder of the plugin; its executable is `PLUGIN_FILE` in it. */
  readonly folder: string;
  /** What the plugin's file must be before it is run. */
  readonly trust: PluginTrust;
  /** The plugin's own folder, which it can write; made where it is not there yet. */
  readonly stateFolder: string;
  readonly parameters: readonly string[];
  /** The whole environment of the plugin. */
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined: as the agent's own user. */
  readonly user: PluginUser | undefined;
  readonly limits: PluginLimits;
  /** Undefined where there are none. */
  readonly cgroup: PluginCgroup | undefined;
  /** Of a stream, 0: it has none. */
  readonly timeoutMs: number;
  /** Between SIGTERM and SIGKILL at a time-out. */
  readonly graceMs: number;
  readonly maxOutputBytes: number;
  /** How stdout is read. */
  readonly format: PluginFormat;
  /** True for plugins that only run on demand: text that is no metrics is no error. */
  readonly anyOutput: boolean;
  /** Of a stream, what supervisor and worker share of it. */
  readonly stream?: StreamControl | undefined;
}

/** How a run ended; the tag `status` of its run metric. */
export type RunStatus = 'ok' | 'exit' | 'timeout' | 'signal' | 'spawn' | 'output';

/** What came of a run, in short. Its points and its run metric are in the ring by then. */
export interface RunSummary {
  readonly status: RunStatus;
  /** 0 = ok, else the exit code, 124 = time-out, 126/127 = not executable/not found, 128+n = signal n, 65 = output. */
  readonly value: number;
  readonly durationMs: number;
  /** From when it was due to when its process was started; undefined for a run that nobody planned. */
  readonly latenessMs?: number | undefined;
  /** Points of the plugin's own that were written. */
  readonly points: number;
  /** What went wrong, in a sentence; undefined when nothing did. */
  readonly problem: string | undefined;
}

/** What came of a run. */
export interface RunOutcome extends RunSummary {
  /** Undefined when the plugin did not exit by itself. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** What the plugin and the children that it waited for took up; undefined where that is not known. */
  readonly usage: ResourceUsage | undefined;
  readonly badMetrics: number;
  /** The last 16 KiB of what it printed. */
  readonly stdoutEnd: string;
  readonly stderrEnd: string;
}

/** A run that has ended: what came of it, of one with a plan in short, or why the worker could not do it. */
export type EndedRun =
  | { readonly runId: number; readonly outcome: RunSummary | RunOutcome }
  | { readonly runId: number; readonly problem: string };

/** Runs that have ended, in whichever batch they came. */
export interface RunsEnded {
  readonly type: 'ended';
  readonly ended: readonly EndedRun[];
}

/** What a runner worker says to the supervisor beside what its tasks and shifts lead to. */
export type FromRunner = LogLine;

/** The result of a task; a shift has none. */
export type RunnerResult = PostOutcome | undefined;

/** The body of a `/post` that is too large to be worked on by the supervisor's thread. */
export interface PostTask {
  readonly type: 'post';
  readonly namespace: string;
  /** In front of every metric's name. */
  readonly measurementPrefix: string;
  /** Its memory is transferred. */
  readonly body: Uint8Array;
  /** Gives up after this long without room in the ring. */
  readonly roomTimeoutMs: number;
}

/** Names a record that somebody waits for. */
export interface RecordName {
  readonly lane: number;
  readonly end: number;
}

/** What became of a `PostTask`. */
export type PostOutcome =
  | { readonly type: 'written'; readonly points: number; readonly records: readonly RecordName[] }
  | { readonly type: 'not-json'; readonly reason: string }
  | { readonly type: 'bad-metric'; readonly bad: BadMetric }
  | { readonly type: 'full' };

/** What the publisher worker is given when it starts. */
export interface PublisherSetup {
  readonly ring: SharedArrayBuffer;
  /** At least one; what `/post` hears of a refusal is the first one's word. */
  readonly outputs: readonly OutputSettings[];
  /** Undefined: nothing goes to disk. */
  readonly spool: SpoolSettings | undefined;
  readonly logLevel: LogLevel;
}

/** Why an output will not have a record. */
export interface Loss {
  /** The output refused it for good, or there was no room for it anywhere: later there may be. */
  readonly kind: 'refused' | 'no-room';
  readonly reason: string;
}

/** What became of a record that somebody waits for. */
export interface Notice extends RecordName {
  /** Undefined: it is safe, delivered or on disk. */
  readonly loss: Loss | undefined;
}

/** How the outputs stand. */
export interface PublisherStatus {
  readonly outputs: readonly OutputStatus[];
}

/** What the supervisor says to the publisher worker. */
export type ToPublisher =
  | { readonly type: 'status' }
  /** Deliver what is in the ring, then close; what remains after `withinMs` is counted and said. */
  | { readonly type: 'drain'; readonly withinMs: number };

/** What the publisher worker says to the supervisor. */
export type FromPublisher =
  | LogLine
  | { readonly type: 'notices'; readonly notices: readonly Notice[] }
  | { readonly type: 'status'; readonly status: PublisherStatus }
  | ({ readonly type: 'drained' } & DrainOutcome);

/** What an end of the publisher left behind. */
export interface DrainOutcome {
  /** Neither delivered nor on disk: what no client was told to be safe, but runs that took place. */
  readonly undeliveredRecords: number;
  readonly undeliveredPoints: number;
  /** On disk, for the next start. */
  readonly keptRecords: number;
  readonly keptPoints: number;
}
