import type { PluginUser, RunTask } from '../../shared/messages.js';
import type { PluginLimits } from '../../shared/plugin-limits.js';
import type { StreamControl } from '../../shared/stream-control.js';
import type { PluginCgroups } from '../cgroups/plugin-cgroups.js';
import type { HeldVersion } from '../plugin-store/held-version.js';
import type { PluginInterval } from '../registry/plugin-definition.js';
import type { ManagedPlugin } from './managed-plugin.js';
import { pluginEnvironment } from './plugin-environment.js';

/** What holds for every run. */
export interface RunSettings {
  readonly databasePrefix: string;
  readonly host: string;
  /** No run takes longer than this, however long the plugin's interval and whatever a caller asks for. */
  readonly maxTimeoutMs: number;
  readonly graceMs: number;
  readonly maxOutputBytes: number;
  /** Where the registry sets no others. */
  readonly limits: PluginLimits;
  /** Scheduled runs at the same time. */
  readonly maxProcesses: number;
  /** Names of variables of the agent's environment that plugins get. */
  readonly passedEnvironment: readonly string[];
}

/** One run of a plugin, from when it is planned to its end. */
export interface Run {
  readonly id: number;
  readonly plugin: ManagedPlugin;
  readonly trigger: RunTask['trigger'];
  /** What a caller asks for; scheduled runs have what the registry and the configuration say when they begin. */
  readonly wanted: {
    readonly timeoutMs?: number;
    readonly parameters?: readonly string[] | undefined;
    /** Of a run that goes on until it is ended. */
    readonly stream?: StreamControl;
  };
  /** When it should have begun, in unix ms; undefined when nobody planned it. */
  readonly dueAtMs: number | undefined;
  state: 'waiting' | 'running';
  /** The plugin is gone when this run has ended. */
  isLast: boolean;
}

/** Where and as whom a run takes place. */
export interface RunPlace {
  readonly held: HeldVersion;
  /** Of the whole store. */
  readonly storeFolder: string;
  readonly user: PluginUser | undefined;
  /** Undefined where there are none. */
  readonly cgroups: PluginCgroups | undefined;
}

/** A plugin gets its interval less this, so that it is over before it is due again. */
const INTERVAL_MARGIN_MS = 500;

/** What a runner worker is told of a run. */
export function runTask(
  { id, plugin, trigger, wanted, dueAtMs }: Run,
  place: RunPlace,
  settings: RunSettings,
): RunTask {
  const { definition } = plugin;
  const { maxTimeoutMs, graceMs, maxOutputBytes, passedEnvironment } = settings;
  const boundMs = Math.min(wanted.timeoutMs ?? scheduledTimeoutMs(definition.interval), maxTimeoutMs);
  const timeoutMs = wanted.stream ? 0 : boundMs;
  const limits = {
    ...settings.limits,
    // What runs all the time uses that much some day; an item may say otherwise.
    ...(wanted.stream && { cpuseconds: 0 }),
    ...definition.limits,
  };
  return {
    runId: id,
    namespace: definition.namespace,
    pluginName: definition.name,
    repo: definition.repo,
    trigger,
    dueAtMs,
    folder: place.held.folder,
    trust: {
      storeFolder: place.storeFolder,
      commit: place.held.version,
      fetchedSha256: place.held.sha256,
      pin: definition.pin,
    },
    stateFolder: place.held.stateFolder,
    parameters: wanted.parameters ?? definition.parameters,
    environment: pluginEnvironment(
      { plugin: definition, user: place.user, timeoutMs, stateFolder: place.held.stateFolder },
      passedEnvironment,
      process.env,
    ),
    user: place.user,
    limits,
    cgroup: place.cgroups?.cgroupFor(plugin.key, limits),
    timeoutMs,
    graceMs,
    maxOutputBytes,
    format: definition.format,
    anyOutput: definition.interval.kind === 'on-demand',
    stream: wanted.stream,
  };
}

/** A cron expression leaves it to the configured bound. */
function scheduledTimeoutMs(interval: PluginInterval): number {
  return interval.kind === 'every' ? interval.seconds * 1000 - INTERVAL_MARGIN_MS : Number.POSITIVE_INFINITY;
}
