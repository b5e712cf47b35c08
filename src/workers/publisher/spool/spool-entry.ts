/** What is put into a spool. */
export interface SpoolRecord {
  readonly namespace: string;
  readonly points: number;
  /** Copied before `append` returns, so it may be a view of memory that is overwritten afterwards. */
  readonly document: Buffer;
}

/** What is read back from it. The document is the reader's own, and no view of shared memory. */
export interface SpoolEntry extends SpoolRecord {
  /** Names the record in its spool: larger than those of all records stored before it. */
  readonly id: number;
  /** When it was appended, in milliseconds since 1970. */
  readonly storedAt: number;
}

/** Why records of a spool are lost: oldest first when it is full, or their bytes on disk are damaged. */
export type SpoolDropReason = 'full' | 'damaged';

/** Stands for the namespace of records whose bytes do not tell it any more. */
export const UNKNOWN_NAMESPACE = 'an unknown namespace';

/** Told about records that are lost, once for every namespace. */
export type OnDropped = (namespace: string, records: number, points: number, reason: SpoolDropReason) => void;
