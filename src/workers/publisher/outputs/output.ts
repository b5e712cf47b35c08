import type { GoPluginStatus, OutputServer } from '../../../shared/output-status.js';

/** A points document on its way. */
export interface OutputRecord {
  readonly namespace: string;
  readonly points: number;
  readonly document: Buffer;
}

/**
 * Called once for a record: without a refusal when it is delivered, with the reason when it never can be, and with how
 * many of its points that is true of when the others are delivered. The record's document may be overwritten afterwards.
 */
export type Settle = (refusal?: string, refusedPoints?: number) => void;

/** Where records go. An output keeps at what it was given until it is settled, whatever happens on the way. */
export interface Output {
  /** Takes a record without waiting. The document stays unchanged until `settle` is called. */
  deliver(record: OutputRecord, settle: Settle): void;
  /** How things stand, in words for an operator. */
  state(): OutputState;
  /** The end is near: what it would hold back for more to come goes out now, from now on. */
  hurry?(): void;
  /**
   * Where it may hold records back for long: sends what it has, and resolves when nothing is on its way that could be
   * settled soon, or when its own time for that is over. Called once, when nothing more will come.
   */
  drain?(): Promise<void>;
  /** Gives up whatever is not settled, without settling it, and frees everything. */
  close(): Promise<void>;
}

/** How an output stands. */
export interface OutputState {
  readonly state: string;
  /** False while it cannot deliver, as far as it knows. */
  readonly isUp: boolean;
  readonly lastError: string | undefined;
  /** Records that were sent once more because the first time was not answered. */
  readonly retriedRecords: number;
  /** Those that it knows of, where it has a choice. */
  readonly servers?: readonly OutputServer[];
  /** Of a Golang output plugin. */
  readonly plugin?: GoPluginStatus;
}
