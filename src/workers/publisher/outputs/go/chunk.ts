import type { OutputRecord, Settle } from '../output.js';

/** A record of a chunk, and whom to tell what became of it. */
export interface ChunkRecord {
  readonly record: OutputRecord;
  readonly settle: Settle;
}

/** Records of one tag that are flushed together, and settled together. */
export interface Chunk {
  readonly id: number;
  readonly tag: string;
  readonly namespace: string;
  readonly records: readonly ChunkRecord[];
  readonly points: number;
  /** How often the plugin has put it off, or not come back with it. */
  tries: number;
  /** How often the process ended while nothing but this chunk was under way. */
  convictions: number;
  /** Events at its beginning that are dealt with. */
  done: number;
  /** Of those, how many were refused. */
  refused: number;
}
