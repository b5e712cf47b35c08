import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { codeOf } from '../../shared/coded-error.js';
import { RequestError } from './errors.js';
import { OWN_MEMORY_BYTES } from './operations.js';

const inflateGzip = promisify(gunzip);

/** Thrown when the client went away in the middle of its request: there is nobody to answer. */
export class ClientGone extends Error {}

/**
 * Reads request bodies, each up to a bound, all of them together up to another one.
 * The bytes of a body count until `release` is called for it.
 */
export class BodyReader {
  readonly #maxBytes: number;
  readonly #maxHeldBytes: number;
  #heldBytes = 0;

  /**
   * @param maxBytes of one body
   * @param maxHeldBytes of all bodies that are being read or worked on
   */
  constructor(maxBytes: number, maxHeldBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxHeldBytes = maxHeldBytes;
  }

  /** Bytes of all bodies now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * The body as it was meant, unpacked where it came packed.
   * Codes: `too-large`, `busy`, `unsupported-encoding`, `bad-encoding`; throws `ClientGone` when it never came whole.
   */
  async read(request: IncomingMessage, response: ServerResponse): Promise<Buffer> {
    const packed = isPacked(request);
    const body = await this.#collect(request, response);
    return packed ? this.#unpack(body) : body;
  }

  /** Gives back the room of a body that `read` gave. */
  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  #collect(request: IncomingMessage, response: ServerResponse): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (Number(request.headers['content-length'] ?? 0) > this.#maxBytes) {
        reject(this.#tooLarge());
        return;
      }
      if (request.headers.expect !== undefined && request.httpVersionMinor > 0) response.writeContinue();
      const chunks: Buffer[] = [];
      let bytes = 0;
      const stop = () => {
        request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      };
      const fail = (error: Error) => {
        stop();
        // Swallows what a dying connection still reports; its end is known already.
        request.on('error', ignore);
        this.release(bytes);
        reject(error);
      };
      const onData = (chunk: Buffer) => {
        if (bytes + chunk.length > this.#maxBytes) {
          fail(this.#tooLarge());
          return;
        }
        if (this.#heldBytes + chunk.length > this.#maxHeldBytes) {
          fail(noRoom());
          return;
        }
        bytes += chunk.length;
        this.#heldBytes += chunk.length;
        chunks.push(chunk);
      };
      const onEnd = () => {
        stop();
        resolve(joined(chunks, bytes));
      };
      const onClose = () => fail(new ClientGone('the client went away before its request was whole'));
      request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
    });
  }

  async #unpack(body: Buffer): Promise<Buffer> {
    const packedBytes = body.length;
    try {
      const unpacked = await inflateGzip(body, { maxOutputLength: this.#maxBytes });
      if (this.#heldBytes + unpacked.length > this.#maxHeldBytes) throw noRoom();
      this.#heldBytes += unpacked.length;
      return joined([unpacked], unpacked.length);
    } catch (thrown) {
      if (thrown instanceof RequestError) throw thrown;
      if (codeOf(thrown) === 'ERR_BUFFER_TOO_LARGE') throw this.#tooLarge();
      throw new RequestError(
        'bad-encoding',
        'the body is not the gzip data that Content-Encoding says it is',
      );
    } finally {
      this.release(packedBytes);
    }
  }

  #tooLarge(): RequestError {
    return new RequestError(
      'too-large',
      `the body is longer than ${this.#maxBytes} bytes, the most that is taken here; send it in pieces`,
    );
  }
}

function isPacked(request: IncomingMessage): boolean {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity' || encoding === '') return false;
  if (encoding === 'gzip' || encoding === 'x-gzip') return true;
  throw new RequestError(
    'unsupported-encoding',
    `a body in Content-Encoding ${JSON.stringify(encoding.slice(0, 40))} cannot be read; send it plain or as gzip`,
    { 'Accept-Encoding': 'gzip' },
  );
}

function joined(chunks: readonly Buffer[], bytes: number): Buffer {
  const first = chunks[0];
  if (first === undefined) return Buffer.alloc(0);
  if (chunks.length === 1 && (bytes <= OWN_MEMORY_BYTES || first.buffer.byteLength === bytes)) return first;
  const body = Buffer.allocUnsafeSlow(bytes);
  let offset = 0;
  for (const chunk of chunks) offset += chunk.copy(body, offset);
  return body;
}

function noRoom(): RequestError {
  return new RequestError(
    'busy',
    'the agent holds as many bytes of requests as it may; send this one again in a moment',
    { 'Retry-After': '1' },
  );
}

function ignore(): void {}
