import type { DocumentLines } from './influxdb-line-protocol.js';
import type { OutputRecord, Settle } from './output.js';

/** Requests that are spent on finding the bad points of one document; what is left then is refused together. */
const REQUESTS_MAX = 200;

/** Some of a document's lines. */
export interface Piece {
  readonly lines: readonly string[];
  readonly bytes: number;
}

/**
 * A document on its way to the server, as lines. Mostly all of them go in one request, with those of other documents.
 * Where the server does not take that, fewer and fewer go at once, until the point at fault is found.
 */
export class DocumentEntry {
  readonly record: OutputRecord;
  /** Documents in the same request, this one included, at most. */
  companyMax = Number.POSITIVE_INFINITY;
  /** How often the server broke down at this one alone while it took others. */
  breakdowns = 0;
  /** How many requests the database had taken when it broke down at this one last. */
  takenAtBreakdown: number | undefined;

  readonly #settle: Settle;
  readonly #content: DocumentLines;
  /** Of all lines, with their ends. */
  readonly bytes: number;
  /** The first line that is neither written nor refused. */
  #next = 0;
  #linesMax = Number.POSITIVE_INFINITY;
  #requests = 0;
  #refused: number;
  #reason: string | undefined;

  constructor(record: OutputRecord, settle: Settle, content: DocumentLines) {
    this.record = record;
    this.#settle = settle;
    this.#content = content;
    this.#refused = content.unfit;
    this.#reason = content.unfitReason;
    this.bytes = bytesOf(content.lines);
  }

  get isWhole(): boolean {
    return this.#next === 0 && this.#linesMax === Number.POSITIVE_INFINITY;
  }

  get points(): number {
    return this.#content.lines.length;
  }

  /** The lines to be sent next, at least one where any is left. */
  piece(bytesMax: number): Piece {
    const { lines } = this.#content;
    this.#requests += 1;
    if (this.isWhole && this.bytes <= bytesMax) return { lines, bytes: this.bytes };
    let end = this.#next;
    let bytes = 0;
    for (; end < lines.length && end - this.#next < this.#linesMax; end += 1) {
      const more = Buffer.byteLength(lines[end] ?? '') + 1;
      if (end > this.#next && bytes + more > bytesMax) break;
      bytes += more;
    }
    return { lines: lines.slice(this.#next, end), bytes };
  }

  /** True when that was the last of the document: it is settled then. */
  written({ lines }: Piece): boolean {
    return this.#passed(lines.length);
  }

  /** Makes the next piece smaller, to find what is at fault in this one; false when it is as small as can be. */
  narrow({ lines }: Piece): boolean {
    if (lines.length <= 1 || this.#requests >= REQUESTS_MAX) return false;
    this.#linesMax = Math.ceil(lines.length / 2);
    return true;
  }

  /** True when that was the last of the document: it is settled then. */
  refused({ lines }: Piece, reason: string): boolean {
    this.#refused += lines.length;
    this.#reason ??= reason;
    return this.#passed(lines.length);
  }

  #passed(lines: number): boolean {
    this.#next += lines;
    // What follows is not suspected any more than anything else.
    this.#linesMax *= 2;
    if (this.#next < this.#content.lines.length) return false;
    this.#settle(this.#refusal(), this.#refused);
    return true;
  }

  #refusal(): string | undefined {
    if (this.#reason === undefined) return undefined;
    const all = this.#content.lines.length + this.#content.unfit;
    return this.#refused < all ? `${this.#refused} of ${all} points: ${this.#reason}` : this.#reason;
  }
}

function bytesOf(lines: readonly string[]): number {
  let bytes = 0;
  for (const line of lines) bytes += Buffer.byteLength(line) + 1;
  return bytes;
}
