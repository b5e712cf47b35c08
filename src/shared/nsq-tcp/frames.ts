/**
 * Reads the frames that nsqd sends: int32 size of what follows, int32 type, data.
 * Takes the bytes in any chunks, and looks at a size before it believes it.
 */

export const FRAME_TYPE = { response: 0, error: 1, message: 2 } as const;

/** Why bytes are no frames: the server speaks HTTP, or is another program, or means more than is taken. */
export type NotAFrame =
  | { readonly kind: 'http' }
  | { readonly kind: 'lookupd' }
  | { readonly kind: 'size'; readonly bytes: number }
  | { readonly kind: 'type'; readonly type: number };

const SIZE_BYTES = 4;
const HEAD_BYTES = 8;
const TYPE_BYTES = HEAD_BYTES - SIZE_BYTES;
const NOTHING = Buffer.alloc(0);

/** `HTTP`, read as the size of a frame. */
const HTTP_AS_SIZE = 0x48545450;
/** `E_BA`, read as the type of a frame: nsqlookupd sends its E_BAD_PROTOCOL without a type. */
const LOOKUPD_AS_TYPE = 0x455f4241;

/** Holds the bytes of a frame that is not whole yet: never more than `maxFrameBytes` and one chunk. */
export class FrameReader {
  readonly #maxFrameBytes: number;
  #held: Buffer = NOTHING;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /**
   * Calls `frame` for every frame that became whole, until it returns false: what comes after that frame is held.
   * The data is only valid during the call.
   * Gives the reason when the bytes are no frames; the reader is of no use after that.
   */
  read(chunk: Buffer, frame: (type: number, data: Buffer) => boolean): NotAFrame | undefined {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let at = 0;
    for (;;) {
      const rest = bytes.length - at;
      if (rest < SIZE_BYTES) break;
      const size = bytes.readInt32BE(at);
      const badSize = this.#checkSize(size);
      if (badSize !== undefined) return badSize;
      if (rest < HEAD_BYTES) break;
      const type = bytes.readInt32BE(at + SIZE_BYTES);
      const badType = checkType(type);
      if (badType !== undefined) return badType;
      if (rest < SIZE_BYTES + size) break;
      const data = bytes.subarray(at + HEAD_BYTES, at + SIZE_BYTES + size);
      at += SIZE_BYTES + size;
      if (!frame(type, data)) break;
    }
    // A copy, as a short rest must not keep the memory of a large chunk.
    this.#held = at === bytes.length ? NOTHING : Buffer.from(bytes.subarray(at));
    return undefined;
  }

  /** Holds bytes for the next `read`, which may come without any. */
  hold(chunk: Buffer): void {
    this.#held = Buffer.concat([this.#held, chunk]);
  }

  /** Takes out what is held: the bytes after the last frame belong to another protocol. */
  takeHeld(): Buffer {
    const held = this.#held;
    this.#held = NOTHING;
    return held;
  }

  #checkSize(size: number): NotAFrame | undefined {
    if (size === HTTP_AS_SIZE) return { kind: 'http' };
    if (size < TYPE_BYTES || size > this.#maxFrameBytes) return { kind: 'size', bytes: size };
    return undefined;
  }
}

function checkType(type: number): NotAFrame | undefined {
  if (type === LOOKUPD_AS_TYPE) return { kind: 'lookupd' };
  if (type < FRAME_TYPE.response || type > FRAME_TYPE.message) return { kind: 'type', type };
  return undefined;
}
