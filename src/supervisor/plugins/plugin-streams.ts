import { setTimeout as sleep } from 'node:timers/promises';
import pLimit, { type LimitFunction } from 'p-limit';
import { fullJitterMs } from '../../shared/back-off.js';
import { reasonOf } from '../../shared/coded-error.js';
import { counted } from '../../shared/counted.js';
import type { Log } from '../../shared/log.js';
import { countsOf, createStreamControl, type StreamControl } from '../../shared/stream-control.js';
import type { DisabledPlugins } from './disabled-plugins.js';
import type { ManagedPlugin } from './managed-plugin.js';
import type { PluginRuns } from './plugin-runs.js';

/** When a long-running plugin is started again that has ended; a test is less patient. */
export interface StreamPace {
  /** Bounds of the random time before the first restart in a row, and before any. */
  readonly firstMs: number;
  readonly mostMs: number;
  /** One that ran for so long has recovered: its next end counts as the first. */
  readonly steadyMs: number;
}

const PACE: StreamPace = { firstMs: 1000, mostMs: 60_000, steadyMs: 60_000 };

/** When many are started at once, each of them adds so much to the time over which they are spread. */
const SPREAD_MS_EACH = 2;
const SPREAD_MOST_MS = 5000;

/** Further than a timer goes is looked at again. */
const SLEEP_MOST_MS = 2 ** 31 - 1;

/** How a long-running plugin stands. */
export interface StreamState {
  /** How often it has ended and was, or will be, started again. */
  readonly restarts: number;
  /** When its process was asked for; undefined while it has none. */
  readonly startedAt: Date | undefined;
  /** Points of this process. */
  readonly points: number;
  readonly badMetrics: number;
}

interface Stream {
  readonly plugin: ManagedPlugin;
  isWanted: boolean;
  /** Its next start does not wait: the process that is under way was ended on purpose. */
  isDueNow: boolean;
  restarts: number;
  /** Ends in a row without a steady time between. */
  failures: number;
  running: { readonly control: StreamControl; readonly startedAt: Date } | undefined;
  wake: AbortController;
}

/** Keeps long-running plugins running: starts each once, and again after a while when it ends. */
export class PluginStreams {
  readonly #runs: PluginRuns;
  readonly #disabled: DisabledPlugins;
  readonly #log: Log;
  readonly #pace: StreamPace;
  readonly #maxStreams: number;
  readonly #places: LimitFunction;
  readonly #streams = new Map<string, Stream>();
  /** What looks after a plugin, by its key: it outlives a stream whose process is still ending. */
  readonly #loops = new Map<string, Promise<void>>();
  #hasWarned = false;

  constructor(options: {
    readonly runs: PluginRuns;
    readonly disabled: DisabledPlugins;
    /** Processes at the same time; further ones wait. */
    readonly maxStreams: number;
    readonly log: Log;
    readonly pace?: StreamPace;
  }) {
    this.#runs = options.runs;
    this.#disabled = options.disabled;
    this.#maxStreams = options.maxStreams;
    this.#places = pLimit(options.maxStreams);
    this.#log = options.log;
    this.#pace = options.pace ?? PACE;
  }

  /** Keeps a plugin running from now on; one that runs already is ended and started as it is defined now. */
  keep(plugin: ManagedPlugin): void {
    if (this.#streams.has(plugin.key)) {
      this.restart(plugin);
      return;
    }
    const stream: Stream = {
      plugin,
      isWanted: true,
      isDueNow: false,
      restarts: 0,
      failures: 0,
      running: undefined,
      wake: new AbortController(),
    };
    this.#streams.set(plugin.key, stream);
    const before = this.#loops.get(plugin.key) ?? Promise.resolve();
    const loop = before
      .then(() => this.#keepRunning(stream))
      .catch((thrown: unknown) => {
        this.#log.error({ plugin: plugin.key }, `${plugin.key} is not kept running: ${reasonOf(thrown)}`);
      })
      .finally(() => {
        if (this.#loops.get(plugin.key) === loop) this.#loops.delete(plugin.key);
      });
    this.#loops.set(plugin.key, loop);
  }

  /** Ends a plugin that is not wanted any more, or no more to run all the time; any other is no error. */
  drop({ key }: Pick<ManagedPlugin, 'key'>): void {
    const stream = this.#streams.get(key);
    if (stream === undefined) return;
    this.#streams.delete(key);
    stream.isWanted = false;
    this.#end(stream);
  }

  /**
   * Ends a plugin's process and starts it again as it is now: with a new version or definition, or not before it is
   * enabled again. One that waits is looked at at once.
   */
  restart({ key }: Pick<ManagedPlugin, 'key'>): void {
    const stream = this.#streams.get(key);
    if (stream !== undefined) this.#end(stream);
  }

  /** Undefined for a plugin that does not run all the time. */
  stateOf({ key }: Pick<ManagedPlugin, 'key'>): StreamState | undefined {
    const stream = this.#streams.get(key);
    if (stream === undefined) return undefined;
    const { restarts, running } = stream;
    const counts = running === undefined ? { points: 0, badMetrics: 0 } : countsOf(running.control);
    return { restarts, startedAt: running?.startedAt, ...counts };
  }

  /** Starts none any more; those under way are ended with all other runs. */
  close(): void {
    for (const stream of this.#streams.values()) {
      stream.isWanted = false;
      stream.wake.abort();
    }
    this.#streams.clear();
    this.#places.clearQueue();
  }

  #end(stream: Stream): void {
    stream.isDueNow = true;
    stream.failures = 0;
    if (stream.running !== undefined) this.#runs.endStream(stream.plugin);
    stream.wake.abort();
  }

  async #keepRunning(stream: Stream): Promise<void> {
    const { plugin } = stream;
    await this.#wait(stream, Math.random() * Math.min(SPREAD_MOST_MS, SPREAD_MS_EACH * this.#streams.size));
    while (stream.isWanted) {
      const disabledUntil = this.#disabled.disabledUntil(plugin.key);
      if (disabledUntil !== undefined) {
        await this.#wait(stream, disabledUntil.getTime() - Date.now());
        continue;
      }
      if (this.#places.activeCount >= this.#maxStreams) this.#warn();
      await this.#places(() => this.#runOnce(stream));
      if (stream.isDueNow || !stream.isWanted) {
        stream.isDueNow = false;
        continue;
      }
      const { firstMs, mostMs } = this.#pace;
      await this.#wait(stream, fullJitterMs(stream.failures, firstMs, mostMs));
    }
  }

  /** One process, from its start to its end. */
  async #runOnce(stream: Stream): Promise<void> {
    // It may have waited long for its place.
    if (!stream.isWanted || this.#disabled.disabledUntil(stream.plugin.key) !== undefined) return;
    stream.isDueNow = false;
    const startedAtMs = performance.now();
    const control = createStreamControl();
    stream.running = { control, startedAt: new Date() };
    const outcome = await this.#runs.runStream(stream.plugin, control).finally(() => {
      stream.running = undefined;
    });
    if (stream.isDueNow || !stream.isWanted) return;
    const wasSteady = performance.now() - startedAtMs >= this.#pace.steadyMs;
    stream.failures = wasSteady ? 1 : stream.failures + 1;
    // Nothing ran when its files are not there yet.
    if (outcome !== undefined) stream.restarts += 1;
  }

  /** Ends early when the stream is to be looked at. */
  async #wait(stream: Stream, ms: number): Promise<void> {
    if (stream.wake.signal.aborted) stream.wake = new AbortController();
    if (stream.isDueNow || !stream.isWanted) {
      stream.isDueNow = false;
      return;
    }
    const { signal } = stream.wake;
    await sleep(Math.min(ms, SLEEP_MOST_MS), undefined, { signal, ref: false }).catch(() => undefined);
    stream.isDueNow = false;
  }

  #warn(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#log.warn(
      { maxstreams: this.#maxStreams },
      `${counted(this.#maxStreams, 'plugin runs', 'plugins run')} all the time and there are more: these wait until one ends; raise [runner] maxstreams`,
    );
  }
}
