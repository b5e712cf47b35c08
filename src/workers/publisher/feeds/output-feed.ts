import type { Loss } from '../../../shared/messages.js';
import type { OutputStatus } from '../../../shared/output-status.js';
import type { OutputRecord } from '../outputs/output.js';

/**
 * Called once for a record: without a loss when it is safe, delivered or on disk; with one when this output never will
 * have it. The record's document may be overwritten afterwards.
 */
export type Secured = (loss?: Loss) => void;

/** What an end of a feed left behind. */
export interface FeedRemains {
  /** On disk, for the next start. */
  readonly keptRecords: number;
  readonly keptPoints: number;
}

/** Brings records to one output and knows, for each, from when on nothing can happen to it any more. */
export interface OutputFeed {
  /** Takes a record without waiting. The document stays unchanged until `secured` is called. */
  take(record: OutputRecord, secured: Secured): void;
  /** True while nothing more should come. `onRoom` of its maker is called when that ends. */
  readonly isFull: boolean;
  /** Resolves when it is known what an earlier run left on disk, or that this cannot be known now. */
  readonly ready: Promise<void>;
  status(): OutputStatus;
  /** A stop has begun: nothing should wait for more to come. */
  hurry(): void;
  /**
   * Brings what it has to the output or to disk, at most `withinMs`, and frees everything. Take no more before. What is
   * neither delivered nor on disk by then is not secured.
   */
  close(withinMs: number): Promise<FeedRemains>;
}
