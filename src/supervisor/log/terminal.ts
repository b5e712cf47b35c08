import { write } from 'node:fs';
import { codeOf } from '../../shared/coded-error.js';
import { counted } from '../../shared/counted.js';

const WAITING_BYTES_MAX = 262_144;
const BUSY_WAIT_MS = 50;
const CLOSE_WAIT_MS = 500;

/**
 * The owner of what the log writes to stderr. A terminal that is closed, stopped or full never holds up the agent:
 * lines wait in a bounded amount of memory, and those that do not fit are left out and counted.
 */
export class Terminal {
  readonly #descriptor: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #leftOut = 0;
  #isWriting = false;
  #isGone = false;
  #drained: (() => void) | undefined;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Takes a line without its newline. */
  write(line: string): void {
    if (this.#isGone) return;
    const bytes = Buffer.from(`${line}\n`);
    if (this.#waitingBytes + bytes.length > WAITING_BYTES_MAX) {
      this.#leftOut++;
      return;
    }
    this.#push(bytes);
    if (!this.#isWriting) this.#writeNext();
  }

  /** Waits a bounded time until all is written. */
  async close(): Promise<void> {
    if (!this.#isWriting) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((done) => {
      this.#drained = done;
      timer = setTimeout(done, CLOSE_WAIT_MS);
    });
    clearTimeout(timer);
  }

  #push(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #writeNext(): void {
    const bytes = this.#waiting[0];
    this.#isWriting = bytes !== undefined;
    if (bytes === undefined) {
      this.#drained?.();
      return;
    }
    write(this.#descriptor, bytes, (error, written) => this.#wrote(bytes, error, written));
  }

  #wrote(bytes: Buffer, error: NodeJS.ErrnoException | null, written: number): void {
    const code = codeOf(error);
    if (code === 'EAGAIN') {
      setTimeout(() => this.#writeNext(), BUSY_WAIT_MS).unref();
      return;
    }
    if (code === 'EPIPE' || code === 'EBADF') {
      this.#isGone = true;
      this.#waiting = [];
    } else if (error === null && written < bytes.length) {
      this.#waiting[0] = bytes.subarray(written);
      this.#waitingBytes -= written;
    } else {
      this.#waiting.shift();
      this.#waitingBytes -= bytes.length;
      if (error !== null) this.#leftOut++;
      else this.#nameLeftOut();
    }
    this.#writeNext();
  }

  #nameLeftOut(): void {
    if (this.#leftOut === 0 || this.#waiting.length > 0) return;
    const count = this.#leftOut;
    this.#leftOut = 0;
    this.#push(Buffer.from(`… ${counted(count, 'line')} left out here\n`));
  }
}
