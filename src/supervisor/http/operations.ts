/** What the HTTP server asks of the agent. The server knows HTTP; everything behind these calls is the agent's. */
import type { RunOutcome, RunStatus } from '../../shared/messages.js';
import type { OutputStatus } from '../../shared/output-status.js';
import type { PluginMode } from '../../shared/plugin-format.js';

/** A posted body longer than this owns its memory, so that it can be handed to another thread without a copy. */
export const OWN_MEMORY_BYTES = 16 * 1024;

/** Names a plugin as operators do: by namespace and by the registry's text for its repository, `.git` optional. */
export interface PluginReference {
  readonly namespace: string;
  readonly repo: string;
}

/**
 * The calls that the paths of the server stand for.
 * Expected failures are thrown as `CodedError` with a code of `errors.ts`; anything else becomes a 500 and a log line.
 */
export interface Operations {
  /** The namespaces that the host is in now. */
  namespaces(): readonly string[];
  status(): AgentStatus | Promise<AgentStatus>;
  /** The agent's metrics of its own, as of now. */
  metrics(): Promise<MetricsText>;
  /** Asks the registry now. Codes: `registry`, `stopping`. */
  sync(): Promise<SyncChanges>;
  plugins(): readonly PluginListing[];
  /** Fetches the newest release of a plugin. Codes: `unknown-plugin`, those of `FETCH_FAILURES`. */
  updatePlugin(plugin: PluginReference): Promise<PluginUpdate>;
  /** Runs a plugin now and waits for its end. Codes: `unknown-plugin`, `running`, `stream`, `plugin-store`, `stopping`. */
  runPlugin(plugin: PluginReference, request: RunRequest): Promise<RunOutcome>;
  /** Codes: `unknown-plugin`, `state`. */
  setPluginEnabled(plugin: PluginReference, enabled: boolean): Promise<PluginEnabling>;
  /**
   * Sends the metrics of a JSON list, all or none; answers when they are safe.
   * @param namespace a checked name, not necessarily one of the host's own
   * @param body one that is longer than `OWN_MEMORY_BYTES` owns its memory, which can be transferred
   */
  post(namespace: string, body: Buffer): Promise<PostAnswer>;
}

/** How a plugin is run on demand. */
export interface RunRequest {
  readonly timeoutMs: number;
  /** In place of the registry's parameters; undefined: the registry's. */
  readonly parameters: readonly string[] | undefined;
}

/** What a registry sync changed. */
export interface SyncChanges {
  readonly added: readonly PluginReference[];
  readonly changed: readonly PluginReference[];
  readonly removed: readonly PluginReference[];
  readonly unchanged: number;
  /** What could not be taken over, a sentence each. */
  readonly problems: readonly string[];
}

/** Commits before and after fetching the newest release; `before` is undefined when there was none. */
export interface PluginUpdate {
  readonly before: string | undefined;
  readonly after: string;
  readonly changed: boolean;
}

/** What became of enabling or disabling a plugin. */
export interface PluginEnabling {
  /** ISO 8601; when a plugin that was disabled is enabled again by itself. */
  readonly enabledAgainAt?: string | undefined;
}

/** A plugin as operators see it; times are ISO 8601. */
export interface PluginListing {
  readonly ns: string;
  readonly name: string;
  readonly repo: string;
  readonly project: string;
  /** Seconds, a cron expression, or 0 for a plugin that only runs on demand. */
  readonly interval: number | string;
  readonly mode: PluginMode;
  readonly enabled: boolean;
  readonly enabledAgainAt?: string | undefined;
  readonly running: boolean;
  /** The commit that is installed; undefined before the first fetch. */
  readonly commit?: string | undefined;
  /** `pending`: not fetched yet; `failed`: it could not be fetched or checked, `problem` says why. */
  readonly state: 'pending' | 'ready' | 'failed';
  readonly problem?: string | undefined;
  readonly nextRunAt?: string | undefined;
  readonly lastRun?: LastRunListing | undefined;
  /** Runs since the agent started. */
  readonly runs: number;
  /** Runs left out since then because the one before was not over. */
  readonly skipped: number;
  /** Of a plugin that runs all the time. */
  readonly stream?: StreamListing | undefined;
}

/** How a plugin that runs all the time stands. */
export interface StreamListing {
  /** How often it has ended and was, or will be, started again. */
  readonly restarts: number;
  /** Undefined while it has no process. */
  readonly startedAt?: string | undefined;
  /** Points and bad metrics of the process that runs now. */
  readonly points: number;
  readonly badMetrics: number;
}

/** How the last run of a plugin went. */
export interface LastRunListing {
  readonly status: RunStatus;
  readonly value: number;
  readonly durationMs: number;
  readonly points: number;
  /** From when it was due to the start of its process; undefined when it was called for. */
  readonly latenessMs?: number | undefined;
  readonly endedAt: string;
  /** What went wrong, in a sentence. */
  readonly problem?: string | undefined;
}

/** How the agent stands; times are ISO 8601, counts since its start. */
export interface AgentStatus {
  readonly version: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  /** Value of the tag `host`. */
  readonly host: string;
  readonly namespaces: readonly string[];
  readonly plugins: {
    readonly known: number;
    readonly enabled: number;
    readonly running: number;
    /** Those that could not be fetched or checked. */
    readonly failed: number;
  };
  readonly registry: {
    /** Without credentials. */
    readonly address: string;
    /** When it last answered; undefined: not since the start. */
    readonly lastSyncAt?: string | undefined;
    /** What went wrong since then. */
    readonly problem?: string | undefined;
  };
  /** Undefined when the publisher does not answer. */
  readonly outputs?: readonly OutputStatus[] | undefined;
  readonly runs: {
    readonly ok: number;
    readonly failed: number;
    readonly skipped: number;
    /** Those that are due now and wait for a place. */
    readonly waiting: number;
    /** How late scheduled ones began, over the last one to two minutes. */
    readonly lateness: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
  };
  readonly posts: {
    readonly accepted: number;
    readonly points: number;
    readonly refused: number;
  };
  /** What was measured of the host itself, by type; those that had a round. */
  readonly measured: readonly {
    readonly type: string;
    readonly rounds: number;
    readonly points: number;
  }[];
}

/** Metrics in a text format of Prometheus. */
export interface MetricsText {
  /** Media type of the text, with the format's version. */
  readonly contentType: string;
  readonly text: string;
}

/** What became of posted metrics. */
export type PostAnswer =
  /** They are at the broker, or on disk. */
  | { readonly type: 'accepted'; readonly points: number }
  | { readonly type: 'not-json'; readonly reason: string }
  | { readonly type: 'bad-metric'; readonly index: number; readonly reason: string }
  /** Nothing was promised; the client may send them again. */
  | { readonly type: 'busy'; readonly retryAfterSeconds: number; readonly reason: string }
  /** The output will never take them. */
  | { readonly type: 'refused'; readonly reason: string };
