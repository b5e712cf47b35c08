import type { OutputRecord, Settle } from '../output.js';
import type { Chunk, ChunkRecord } from './chunk.js';

/** As msgpack a document of points is never longer than as JSON, but for the namespace in each event. Bytes. */
const CHUNK_MOST_BYTES = 2_000_000;

interface OpenChunk {
  readonly tag: string;
  readonly namespace: string;
  readonly records: ChunkRecord[];
  points: number;
  bytes: number;
}

/** Gathers records into chunks: of one tag each, closed when full or when the time has come. */
export class ChunkCollector {
  #flushMs: number;
  readonly #onChunk: (chunk: Chunk) => void;
  readonly #open = new Map<string, OpenChunk>();
  #timer: NodeJS.Timeout | undefined;
  #nextId = 1;

  /** @param onChunk is called with each chunk that is closed */
  constructor(flushMs: number, onChunk: (chunk: Chunk) => void) {
    this.#flushMs = flushMs;
    this.#onChunk = onChunk;
  }

  /** Records that wait for their chunk to be closed. */
  get records(): number {
    let records = 0;
    for (const open of this.#open.values()) records += open.records.length;
    return records;
  }

  add(tag: string, record: OutputRecord, settle: Settle): void {
    const bytes = eventBytesMost(record);
    let open = this.#open.get(tag);
    if (open && open.bytes + bytes > CHUNK_MOST_BYTES) {
      this.#end(open);
      open = undefined;
    }
    if (!open) {
      open = { tag, namespace: record.namespace, records: [], points: 0, bytes: 0 };
      this.#open.set(tag, open);
    }
    open.records.push({ record, settle });
    open.points += record.points;
    open.bytes += bytes;
    this.#timer ??= setTimeout(() => this.closeAll(), this.#flushMs);
  }

  /** Closes the chunks that there are, and from now on each with the turn of the event loop that brought it. */
  hurry(): void {
    this.#flushMs = 0;
    this.closeAll();
  }

  /** Closes the chunks that there are. */
  closeAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const open of [...this.#open.values()]) this.#end(open);
  }

  /** Forgets all; their records are not settled. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#open.clear();
  }

  #end({ tag, namespace, records, points }: OpenChunk): void {
    this.#open.delete(tag);
    const id = this.#nextId;
    this.#nextId += 1;
    this.#onChunk({
      id,
      tag,
      namespace,
      records,
      points,
      tries: 0,
      convictions: 0,
      done: 0,
      refused: 0,
    });
  }
}

function eventBytesMost({ document, points, namespace }: OutputRecord): number {
  return document.length + points * namespace.length;
}
