/** Lengths of head and body, 32 bits each, little endian. */
const PREFIX_BYTES = 8;

/** Heads are small; a longer one is not ours. Bytes. */
const HEAD_MOST_BYTES = 16 * 1024 * 1024;

/** Of documents in a chunk. Bytes. */
const BODY_MOST_BYTES = 64 * 1024 * 1024;

/**
 * What goes over the socket between publisher and output host: frames of a JSON head and a body of bytes.
 * @returns the parts to write one after another
 */
export function frame(head: unknown, ...body: readonly Uint8Array[]): Uint8Array[] {
  const headBytes = Buffer.from(JSON.stringify(head));
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
  prefix.writeUInt32LE(headBytes.length, 0);
  prefix.writeUInt32LE(
    body.reduce((sum, { length }) => sum + length, 0),
    4,
  );
  return [prefix, headBytes, ...body];
}

/** Puts frames together from what a socket brings. */
export class FrameReader {
  readonly #onFrame: (head: unknown, body: Buffer) => void;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  /** Head and body of the frame that is being read; undefined while its prefix is. */
  #frame: Buffer | undefined;
  #headBytes = 0;
  #filled = 0;

  constructor(onFrame: (head: unknown, body: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** Takes what came; calls back for each frame that is whole by then. Throws for bytes that are no frames. */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const target = this.#frame ?? this.#prefix;
      const copied = bytes.copy(target, this.#filled, at);
      at += copied;
      this.#filled += copied;
      if (this.#filled === target.length) this.#end();
    }
  }

  #end(): void {
    if (this.#frame === undefined) this.#begin();
    if (this.#frame === undefined || this.#filled < this.#frame.length) return;
    const whole = this.#frame;
    this.#frame = undefined;
    this.#filled = 0;
    const head = JSON.parse(whole.toString('utf8', 0, this.#headBytes));
    this.#onFrame(head, whole.subarray(this.#headBytes));
  }

  #begin(): void {
    this.#headBytes = this.#prefix.readUInt32LE(0);
    const bodyBytes = this.#prefix.readUInt32LE(4);
    if (this.#headBytes > HEAD_MOST_BYTES || bodyBytes > BODY_MOST_BYTES) {
      throw new Error(`a frame of ${this.#headBytes} and ${bodyBytes} bytes is none of ours`);
    }
    this.#frame = Buffer.allocUnsafeSlow(this.#headBytes + bodyBytes);
    this.#filled = 0;
  }
}
