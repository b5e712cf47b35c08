import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw, type InflateRaw } from 'node:zlib';
import type { Codec, CodecEvents } from './codec.js';

const CHUNK_BYTES = 64 * 1024;

/** Raw deflate streams over the whole connection. The work is done in Node's thread pool, not in this thread. */
export class DeflateCodec implements Codec {
  readonly #deflate: DeflateRaw;
  readonly #inflate: InflateRaw;
  #taken: Buffer[] = [];
  #takenBytes = 0;

  /** `level` from 1 (fast) to 9 (small). */
  constructor(level: number, events: CodecEvents) {
    // Every write ends at a byte boundary with all it holds, or the server would wait for the rest of it.
    const everyWriteWhole = { flush: constants.Z_SYNC_FLUSH, chunkSize: CHUNK_BYTES };
    this.#deflate = createDeflateRaw({ ...everyWriteWhole, level });
    this.#inflate = createInflateRaw({ chunkSize: CHUNK_BYTES });
    this.#deflate.on('data', (bytes: Buffer) => events.encoded(bytes));
    this.#deflate.on('error', (error) => events.failed(`cannot be written to: ${error.message}`));
    this.#inflate.on('data', (bytes: Buffer) => events.decoded(bytes));
    this.#inflate.on('error', (error) => events.failed(`sent what is no deflate stream: ${error.message}`));
  }

  encode(bytes: Buffer): void {
    this.#taken.push(bytes);
    this.#takenBytes += bytes.length;
  }

  flush(): void {
    const [first] = this.#taken;
    if (first === undefined) return;
    // In one piece, as a piece has its own trip to the thread pool and its own end mark.
    this.#deflate.write(this.#taken.length === 1 ? first : Buffer.concat(this.#taken, this.#takenBytes));
    this.#taken = [];
    this.#takenBytes = 0;
  }

  decode(bytes: Buffer): void {
    this.#inflate.write(bytes);
  }

  afterDecoding(callback: () => void): void {
    // The flush stands in line behind all writes; what they gave is told in the turn after at the latest.
    this.#inflate.flush(() => setImmediate(callback));
  }

  get unencodedBytes(): number {
    return this.#takenBytes + this.#deflate.writableLength;
  }

  get undecodedBytes(): number {
    return this.#inflate.writableLength;
  }

  close(): void {
    for (const stream of [this.#deflate, this.#inflate]) {
      stream.removeAllListeners('data');
      stream.removeAllListeners('error');
      // Work that is under way in the thread pool may still fail, which is no one's concern any more.
      stream.on('error', () => {});
      stream.destroy();
    }
  }
}
