import type { FlushAnswer } from '../../../../shared/output-host/messages.js';
import type { ChunkCounts, GoPluginStatus } from '../../../../shared/output-status.js';
import type { Chunk } from './chunk.js';

/** Counts what a plugin makes of its chunks. */
export class PluginCounts {
  readonly #chunks = { ok: 0, error: 0, retry: 0 };
  readonly #bytes = { ok: 0, error: 0, retry: 0 };
  #setAsideChunks = 0;
  #retriedRecords = 0;

  /** A flush has come back. */
  flushed({ result, bytes }: FlushAnswer): void {
    this.#chunks[result] += 1;
    this.#bytes[result] += bytes;
  }

  /** A chunk is not tried any more. */
  setAside(_chunk: Chunk): void {
    this.#setAsideChunks += 1;
  }

  /** Chunks are to be sent once more. */
  sentAgain(chunks: readonly Chunk[]): void {
    for (const { records } of chunks) this.#retriedRecords += records.length;
  }

  get retriedRecords(): number {
    return this.#retriedRecords;
  }

  get all(): Pick<GoPluginStatus, 'chunks' | 'bytes' | 'setAsideChunks'> {
    return { chunks: copy(this.#chunks), bytes: copy(this.#bytes), setAsideChunks: this.#setAsideChunks };
  }
}

function copy(counts: ChunkCounts): ChunkCounts {
  return { ...counts };
}
