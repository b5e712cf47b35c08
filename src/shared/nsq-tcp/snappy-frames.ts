/**
 * Reads the framing format of Snappy (framing_format.txt of google/snappy): chunks of a type byte, a size of three
 * bytes (little-endian) and data. Data has the masked CRC-32C of what it is uncompressed in front.
 */
import { uncompress } from 'snappyjs';
import { reasonOf } from '../coded-error.js';
import { maskedCrc32c } from './crc32c.js';

/** The types of chunks that are written here. */
export const CHUNK = { compressed: 0x00, plain: 0x01, identifier: 0xff } as const;
export const CHUNK_HEAD_BYTES = 4;
export const CHECKSUM_BYTES = 4;
/** The most that a chunk may hold, uncompressed. */
export const MAX_PLAIN_BYTES = 65_536;

/** What every stream begins with; may come again. */
export const STREAM_IDENTIFIER = Buffer.from([CHUNK.identifier, 6, 0, 0, ...Buffer.from('sNaPpY')]);

/** From here on a reader skips the chunks that it does not know; below, it cannot go on. */
const FIRST_SKIPPABLE = 0x80;
/** The largest that Snappy makes of MAX_PLAIN_BYTES, with the checksum. */
const MAX_CHUNK_BYTES = CHECKSUM_BYTES + 32 + MAX_PLAIN_BYTES + Math.ceil(MAX_PLAIN_BYTES / 6);
const NOTHING = Buffer.alloc(0);

/** Takes the bytes in any pieces. Holds at most one chunk that is not whole yet, and one piece. */
export class SnappyReader {
  #held: Buffer = NOTHING;
  #isBegun = false;
  /** Bytes still to come of a chunk that is skipped. */
  #toSkip = 0;

  /**
   * Calls `plain` with the data of every chunk that became whole, until it returns false. Gives what is wrong, to go
   * on where "nsqd host:port" leaves off; the reader is of no use after that.
   */
  read(piece: Buffer, plain: (bytes: Buffer) => boolean): string | undefined {
    const bytes = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    let at = this.#skip(bytes, 0);
    while (bytes.length - at >= CHUNK_HEAD_BYTES) {
      const type = bytes.readUInt8(at);
      const size = bytes.readUIntLE(at + 1, 3);
      const bad = this.#checkHead(type, size);
      if (bad !== undefined) return bad;
      at += CHUNK_HEAD_BYTES;
      if (type >= FIRST_SKIPPABLE && type !== CHUNK.identifier) {
        this.#toSkip = size;
        at = this.#skip(bytes, at);
        continue;
      }
      if (bytes.length - at < size) {
        at -= CHUNK_HEAD_BYTES;
        break;
      }
      const data = bytes.subarray(at, at + size);
      at += size;
      const content = type === CHUNK.identifier ? checkIdentifier(data) : plainOf(type, data);
      if (typeof content === 'string') return content;
      this.#isBegun = true;
      if (content !== undefined && !plain(content)) return undefined;
    }
    // A copy, as a short rest must not keep the memory of a large piece.
    this.#held = at >= bytes.length ? NOTHING : Buffer.from(bytes.subarray(at));
    return undefined;
  }

  #skip(bytes: Buffer, at: number): number {
    const skipped = Math.min(this.#toSkip, bytes.length - at);
    this.#toSkip -= skipped;
    return at + skipped;
  }

  #checkHead(type: number, size: number): string | undefined {
    if (!this.#isBegun && type !== CHUNK.identifier) return 'sent what is no Snappy stream';
    if (type === CHUNK.identifier) return size === 6 ? undefined : 'sent a damaged Snappy stream identifier';
    if (type >= FIRST_SKIPPABLE) return undefined;
    if (type > CHUNK.plain) return `sent a Snappy chunk of the unknown type ${type}`;
    if (size >= CHECKSUM_BYTES && size <= MAX_CHUNK_BYTES) return undefined;
    return `sent a Snappy chunk of ${size} bytes, which no data gives`;
  }
}

function checkIdentifier(data: Buffer): undefined | string {
  return data.equals(STREAM_IDENTIFIER.subarray(CHUNK_HEAD_BYTES))
    ? undefined
    : 'sent a damaged Snappy stream identifier';
}

/** The data of a chunk, or what is wrong with it. */
function plainOf(type: number, data: Buffer): Buffer | string {
  const content = data.subarray(CHECKSUM_BYTES);
  let plain = content;
  if (type === CHUNK.compressed) {
    try {
      plain = uncompress(content, MAX_PLAIN_BYTES);
    } catch (error) {
      return `sent a damaged Snappy chunk: ${reasonOf(error)}`;
    }
  }
  if (plain.length > MAX_PLAIN_BYTES)
    return `sent a Snappy chunk of ${plain.length} bytes, which is too much`;
  if (maskedCrc32c(plain) === data.readUInt32LE(0)) return plain;
  return 'sent a damaged Snappy chunk: its checksum does not fit';
}
