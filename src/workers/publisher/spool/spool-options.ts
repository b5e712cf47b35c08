import { CodedError } from '../../../shared/coded-error.js';
import type { Log } from '../../../shared/log.js';
import type { OnDropped } from './spool-entry.js';

const MIB = 1024 * 1024;

/** Less cannot be divided into segments sensibly. Bytes. */
export const SPOOL_LEAST_BYTES = MIB;

/** A segment has a sixteenth of the bound, within these. Bytes. */
const SEGMENT_LEAST_BYTES = 64 * 1024;
const SEGMENT_MOST_BYTES = 16 * MIB;

/** One call of `append` takes a quarter of the bound, and never more than this. Bytes. */
const APPEND_MOST_BYTES = 64 * MIB;

/**
 * When an append counts as stored. `always`: when it survives a power failure. `interval`: when the system has it,
 * which survives the end of the process in any way; a power failure costs what came in the last second. `never`: as
 * `interval`, and the system alone decides when it goes to the disk.
 */
export type FsyncPolicy = 'always' | 'interval' | 'never';

export interface SpoolOptions {
  /** Made where it is missing, for this spool alone. Only one process has it open: the others are refused. */
  readonly folder: string;
  /** Bound of everything in the folder, in bytes of whole disk blocks. */
  readonly maxBytes: number;
  readonly fsync: FsyncPolicy;
  readonly log: Log;
  /** Told about records that are lost to the bound, or to damage on the disk. Must not throw. */
  readonly onDropped: OnDropped;
  /** True for a record that is on its way from memory: off the disk it is not lost. Default: none is. */
  readonly isInMemory?: (id: number) => boolean;
}

export interface SpoolStats {
  /** Records and points that are stored and not acknowledged; of the latter it may learn with the next note on disk. */
  readonly records: number;
  readonly points: number;
  /** Bytes on disk of all its files. */
  readonly bytes: number;
  /** When the oldest of these records was stored, in milliseconds since 1970, rounded down to seconds. */
  readonly oldestAt: number | undefined;
}

/** @throws CodedError `spool-size` */
export function checkSize({ folder, maxBytes }: SpoolOptions): void {
  if (maxBytes >= SPOOL_LEAST_BYTES) return;
  throw new CodedError(
    'spool-size',
    `${maxBytes} bytes are too few for the spool in ${folder}; give it at least ${SPOOL_LEAST_BYTES}`,
  );
}

/** Where a segment is finished, and the next one begun. Bytes. */
export function segmentBytes(maxBytes: number): number {
  return Math.min(Math.max(Math.floor(maxBytes / 16), SEGMENT_LEAST_BYTES), SEGMENT_MOST_BYTES);
}

/** What one append may have. Bytes. */
export function appendMostBytes(maxBytes: number): number {
  return Math.min(Math.floor(maxBytes / 4), APPEND_MOST_BYTES);
}
