import { compress } from 'snappyjs';
import type { Codec, CodecEvents } from './codec.js';
import { maskedCrc32c } from './crc32c.js';
import {
  CHECKSUM_BYTES,
  CHUNK,
  CHUNK_HEAD_BYTES,
  MAX_PLAIN_BYTES,
  SnappyReader,
  STREAM_IDENTIFIER,
} from './snappy-frames.js';

/** Shorter than this nothing is saved. */
const LEAST_TO_COMPRESS = 64;

/** Snappy in its framing format over the whole connection. Works at once, in this thread. */
export class SnappyCodec implements Codec {
  readonly unencodedBytes = 0;
  readonly undecodedBytes = 0;
  readonly #events: CodecEvents;
  readonly #reader = new SnappyReader();
  #isBegun = false;
  #isClosed = false;

  constructor(events: CodecEvents) {
    this.#events = events;
  }

  encode(bytes: Buffer): void {
    if (!this.#isBegun) this.#events.encoded(STREAM_IDENTIFIER);
    this.#isBegun = true;
    for (let at = 0; at < bytes.length; at += MAX_PLAIN_BYTES) {
      this.#events.encoded(snappyChunk(bytes.subarray(at, at + MAX_PLAIN_BYTES)));
    }
  }

  /** Nothing is ever held back. */
  flush(): void {}

  decode(bytes: Buffer): void {
    const bad = this.#reader.read(bytes, (plain) => {
      this.#events.decoded(plain);
      return !this.#isClosed;
    });
    if (bad !== undefined && !this.#isClosed) this.#events.failed(bad);
  }

  afterDecoding(callback: () => void): void {
    callback();
  }

  close(): void {
    this.#isClosed = true;
  }
}

/** At most 64 KiB as a chunk of the framing: compressed, or as they are when that saves less than an eighth. */
export function snappyChunk(plain: Buffer): Buffer {
  const compressed = plain.length < LEAST_TO_COMPRESS ? undefined : compress(plain);
  const isWorthIt = compressed !== undefined && compressed.length < plain.length - plain.length / 8;
  const data = isWorthIt ? compressed : plain;
  const chunk = Buffer.allocUnsafe(CHUNK_HEAD_BYTES + CHECKSUM_BYTES + data.length);
  chunk.writeUInt8(isWorthIt ? CHUNK.compressed : CHUNK.plain, 0);
  chunk.writeUIntLE(CHECKSUM_BYTES + data.length, 1, 3);
  chunk.writeUInt32LE(maskedCrc32c(plain), CHUNK_HEAD_BYTES);
  chunk.set(data, CHUNK_HEAD_BYTES + CHECKSUM_BYTES);
  return chunk;
}
