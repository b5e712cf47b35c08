import { closeSync, constants, fstatSync, openSync, write } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CodedError, codeOf } from '../../../shared/coded-error.js';
import type { LineSink } from './line-output.js';

const writeTo = promisify(write);
const STDOUT = 1;

/** A pipe that has no room is looked at again this often; without any for so long, that is said. */
const ROOM_CHECK_MS = 10;
const STALLED_MS = 5000;

/**
 * The agent's standard output. Written to directly: a worker's `process.stdout` goes through the supervisor's thread.
 * Where it does not take a batch whole (a pipe that is read slowly), the rest is written later.
 */
export class StdoutSink implements LineSink {
  readonly name = 'stdout';
  readonly #descriptor = openStdout();
  /** What is left of a batch that was begun: its beginning is out and cannot be taken back. */
  #begun: { batch: Buffer; written: number } | undefined;

  async append(batch: Buffer, closing: AbortSignal): Promise<void> {
    const begun = this.#begun?.batch === batch ? this.#begun : { batch, written: 0 };
    this.#begun = begun;
    while (begun.written < batch.length) begun.written += await this.#writeSome(begun, closing);
    this.#begun = undefined;
  }

  async close(): Promise<void> {
    // The process' own stdout is not ours to close.
    if (this.#descriptor !== STDOUT) closeSync(this.#descriptor);
  }

  async #writeSome(
    { batch, written }: { readonly batch: Buffer; readonly written: number },
    closing: AbortSignal,
  ): Promise<number> {
    const stalledAt = performance.now() + STALLED_MS;
    for (;;) {
      try {
        return (await writeTo(this.#descriptor, batch, written, batch.length - written, null)).bytesWritten;
      } catch (thrown) {
        if (codeOf(thrown) !== 'EAGAIN') throw thrown;
      }
      if (performance.now() > stalledAt) {
        throw new CodedError('stalled', `whatever reads it has taken nothing for ${STALLED_MS / 1000} s`);
      }
      await sleep(ROOM_CHECK_MS, undefined, { signal: closing });
    }
  }
}

/**
 * A write to a pipe or terminal that nobody reads would hold its thread for good, and with it the end of the agent.
 * Opened anew, the same pipe can be told not to block, and programs that share the agent's own descriptor notice
 * nothing. Where that is not allowed, as for another user's pipe, and for files and sockets the descriptor does as it is.
 */
function openStdout(): number {
  const stdout = fstatSync(STDOUT);
  if (!stdout.isFIFO() && !stdout.isCharacterDevice()) return STDOUT;
  try {
    return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return STDOUT;
  }
}
