import type { Readable } from 'node:stream';
import { printable } from '../../../../shared/printable.js';

/** Longer lines are cut. Characters. */
const LINE_MOST = 2000;

/** Lines a second that go to the log; more are counted. */
const LINES_PER_SECOND = 50;

/** What is read in a tenth of a second at most: a plugin that prints without end waits for its reader. Bytes. */
const BYTES_PER_TURN = 1024 * 1024;
const TURN_MS = 100;

/** What is kept of the end, for the report of a crash. Bytes. */
const TAIL_BYTES = 64 * 1024;

/** Reads what a plugin prints, line by line, and bounds how much of it is passed on. */
export class PluginLines {
  readonly #source: Readable;
  readonly #onLine: (line: string) => void;
  readonly #onSkipped: (lines: number) => void;
  readonly #timer: NodeJS.Timeout;
  #part = '';
  #isTooLong = false;
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #turnBytes = 0;
  #lines = 0;
  #skipped = 0;
  #turns = 0;

  /** @param onSkipped is told now and then how many lines were left out */
  constructor(source: Readable, onLine: (line: string) => void, onSkipped: (lines: number) => void) {
    this.#source = source;
    this.#onLine = onLine;
    this.#onSkipped = onSkipped;
    source.on('data', (bytes: Buffer) => this.#take(bytes));
    source.on('error', () => undefined);
    this.#timer = setInterval(() => this.#nextTurn(), TURN_MS);
    this.#timer.unref();
  }

  /** The end of what was printed so far. */
  get tail(): string {
    return Buffer.concat(this.#tail).subarray(-TAIL_BYTES).toString('utf8');
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#part !== '') this.#endLine();
    this.#saySkipped();
    this.#source.destroy();
  }

  #take(bytes: Buffer): void {
    this.#keepTail(bytes);
    this.#turnBytes += bytes.length;
    if (this.#turnBytes > BYTES_PER_TURN) this.#source.pause();
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      this.#addPart(bytes, start, end);
      this.#endLine();
      start = end + 1;
    }
    this.#addPart(bytes, start, bytes.length);
  }

  #addPart(bytes: Buffer, start: number, end: number): void {
    if (this.#isTooLong || this.#lines >= LINES_PER_SECOND) return;
    this.#part += bytes.toString('utf8', start, Math.min(end, start + LINE_MOST));
    if (this.#part.length <= LINE_MOST) return;
    this.#part = `${this.#part.slice(0, LINE_MOST)}…`;
    this.#isTooLong = true;
  }

  #endLine(): void {
    const line = this.#part;
    this.#part = '';
    this.#isTooLong = false;
    if (this.#lines >= LINES_PER_SECOND) {
      this.#skipped += 1;
    } else if (line.trim() !== '') {
      this.#lines += 1;
      this.#onLine(printable(line.trimEnd()));
    }
  }

  #nextTurn(): void {
    this.#turnBytes = 0;
    this.#source.resume();
    this.#turns += 1;
    if (this.#turns % (1000 / TURN_MS) !== 0) return;
    this.#lines = 0;
    if (this.#turns % (10_000 / TURN_MS) === 0) this.#saySkipped();
  }

  #saySkipped(): void {
    if (this.#skipped > 0) this.#onSkipped(this.#skipped);
    this.#skipped = 0;
  }

  #keepTail(bytes: Buffer): void {
    this.#tail.push(bytes);
    this.#tailBytes += bytes.length;
    while (this.#tailBytes - (this.#tail[0]?.length ?? 0) > TAIL_BYTES) {
      this.#tailBytes -= this.#tail.shift()?.length ?? 0;
    }
  }
}
