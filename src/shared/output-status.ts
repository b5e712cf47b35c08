import type { OutputSettings } from './output-settings.js';

/**
 * Why points of an output are lost: the spool was full and they were the oldest, their bytes on disk were damaged, or
 * neither memory nor disk had room for them while other outputs could not be kept waiting.
 */
export const DROP_REASONS = ['full', 'damaged', 'no-room'] as const;

/** One of them. */
export type DropReason = (typeof DROP_REASONS)[number];

/** One of the servers that an output can deliver to. */
export interface OutputServer {
  /** `host:port`. */
  readonly server: string;
  /** `set` in the configuration, or found by a `lookupd`. */
  readonly origin: 'set' | 'lookupd';
  /** `idle`: nothing is wrong with it as far as is known, another one is used. `failed`: it is left alone for a while. */
  readonly state: 'idle' | 'connecting' | 'connected' | 'failed';
  /** In a row; 0 when it takes points. */
  readonly failures: number;
  readonly lastError: string | undefined;
}

/** Of flushes or bytes, by what the plugin answered. */
export interface ChunkCounts {
  readonly ok: number;
  readonly error: number;
  readonly retry: number;
}

/** How an instance of a Golang output plugin stands. */
export interface GoPluginStatus {
  /** Path of the shared object. */
  readonly library: string;
  /** `starting`: not initialised yet; `failed`: it cannot be; `restarting`: its process ended; `closed`: so has the agent's work. */
  readonly state: 'starting' | 'running' | 'restarting' | 'failed' | 'closed';
  /** Of the host process now. */
  readonly pid: number | undefined;
  /** How often the host process was started again. */
  readonly restarts: number;
  /** Flushes that came back, and the bytes of msgpack in them. */
  readonly chunks: ChunkCounts;
  readonly bytes: ChunkCounts;
  /** Chunks that were refused, or put off more often than the limit allows. */
  readonly setAsideChunks: number;
  /** Chunks that wait for their next try. */
  readonly retriesWaiting: number;
}

/** Counts of an output since the publisher started, and how it stands. */
export interface OutputStatus {
  /** The output's alias. */
  readonly output: string;
  /** What kind of output it is. */
  readonly name: OutputSettings['name'];
  /** Where it delivers to now, in words; for `nsq` the server and the state of the connection. */
  readonly state: string;
  /** False while it does not deliver: it knows that it cannot, or nothing it was given has been settled for a second. */
  readonly isUp: boolean;
  readonly lastError: string | undefined;
  /** Present where there is a choice of servers. */
  readonly servers?: readonly OutputServer[];
  /** Present for a Golang output plugin. */
  readonly plugin?: GoPluginStatus;
  /** Documents and points that were taken over from the ring. */
  readonly acceptedRecords: number;
  readonly acceptedPoints: number;
  readonly deliveredRecords: number;
  readonly deliveredPoints: number;
  /** Documents that were sent once more because the first time was not answered. */
  readonly retriedRecords: number;
  /** What was written to the spool, ever. */
  readonly spooledRecords: number;
  readonly spooledPoints: number;
  /** Points that the output refused for good. */
  readonly setAsidePoints: number;
  readonly droppedPoints: Readonly<Record<DropReason, number>>;
  /** Points in memory that are not delivered; those that are on disk too included. */
  readonly memoryPoints: number;
  /** What waits on disk. */
  readonly diskRecords: number;
  readonly diskPoints: number;
  readonly diskBytes: number;
  /** How far behind the output is: points that are not delivered, and the age in seconds of the oldest. */
  readonly lagPoints: number;
  readonly lagSeconds: number;
}
