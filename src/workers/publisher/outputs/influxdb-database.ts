import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { fullJitterMs } from '../../../shared/back-off.js';
import type { WriteFailure, WriteVerdict } from './influxdb-answer.js';
import type { InfluxdbClient } from './influxdb-client.js';
import { DocumentEntry, type Piece } from './influxdb-entry.js';
import type { LineProtocol } from './influxdb-line-protocol.js';
import type { RequestSize } from './influxdb-request-size.js';
import type { WriteTroubles } from './influxdb-troubles.js';
import type { OutputRecord, Settle } from './output.js';

/** What the writers of all databases of an output share. */
export interface WriterSurroundings {
  readonly client: InfluxdbClient;
  readonly protocol: LineProtocol;
  readonly size: RequestSize;
  readonly troubles: WriteTroubles;
  readonly closing: AbortSignal;
  readonly batchPoints: number;
  /** Runs a request when it is its turn. */
  readonly inTurn: <T>(request: () => Promise<T>) => Promise<T>;
  readonly onSentAgain: (records: number) => void;
}

/** Not yet made into lines, or given back after a try. */
type Waiting = DocumentEntry | { readonly record: OutputRecord; readonly settle: Settle };

interface WriteRequest {
  readonly entries: readonly DocumentEntry[];
  readonly pieces: readonly Piece[];
  readonly bytes: number;
}

const RETRY_BASE_MS = 100;
const RETRY_CAP_MS = 10_000;

/** After this many documents' bytes other work of the thread gets its turn. */
const ENCODED_AT_ONCE_BYTES = 512 * 1024;

/** Only from this many failures in a row on it is asked whether a document makes the server break down. */
const BREAKDOWNS_OF_SERVER = 3;

/** A document at which the server broke down so often, alone and while it took others, is refused. */
const BREAKDOWNS_OF_DOCUMENT = 3;

const WRITTEN: WriteVerdict = { kind: 'written' };

/** Brings documents to one database in their order, one request after the other; while one is under way the next gathers. */
export class DatabaseWriter {
  readonly #database: string;
  readonly #around: WriterSurroundings;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #failures = 0;
  #takenRequests = 0;

  constructor(database: string, around: WriterSurroundings) {
    this.#database = database;
    this.#around = around;
  }

  /** Resolves when nothing waits any more, or when the output is closed. */
  deliver(record: OutputRecord, settle: Settle): Promise<void> {
    this.#waiting.push({ record, settle });
    this.#running ??= this.#writeAll();
    return this.#running;
  }

  async #writeAll(): Promise<void> {
    // Lets the records of this turn of the event loop come together.
    await Promise.resolve();
    const { inTurn, closing } = this.#around;
    while (this.#waiting.length > 0 && !closing.aborted) {
      const pauseMs = await inTurn(() => this.#writeNext());
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal: closing }).catch(() => undefined);
    }
    this.#running = undefined;
  }

  /** Sends one request; the answer is how long to wait before the next, in milliseconds. */
  async #writeNext(): Promise<number> {
    const { client, closing } = this.#around;
    const request = await this.#nextRequest();
    const lines = request.pieces.flatMap((piece) => piece.lines);
    const isEmpty = lines.length === 0 || closing.aborted;
    const verdict = isEmpty ? WRITTEN : await client.write(this.#database, lines.join('\n'), closing);
    // What is not settled by now is given up.
    if (closing.aborted) return 0;
    return this.#conclude(request, verdict);
  }

  /** Takes whole documents up to the bounds of a request; one that is under suspicion goes alone. */
  async #nextRequest(): Promise<WriteRequest> {
    const { size, batchPoints, closing } = this.#around;
    const entries: DocumentEntry[] = [];
    let points = 0;
    let bytes = 0;
    let companyMax = Number.POSITIVE_INFINITY;
    let encoded = 0;
    while (entries.length < this.#waiting.length && !closing.aborted) {
      const [entry, isFresh] = this.#entryAt(entries.length);
      companyMax = Math.min(companyMax, entry.companyMax, entry.isWhole ? companyMax : 1);
      const fits = points + entry.points <= batchPoints && bytes + entry.bytes <= size.limit;
      if (entries.length > 0 && (!fits || entries.length >= companyMax)) break;
      entries.push(entry);
      points += entry.points;
      bytes += entry.bytes;
      if (isFresh) encoded += entry.record.document.length;
      if (encoded < ENCODED_AT_ONCE_BYTES) continue;
      encoded = 0;
      await nextTurn();
    }
    this.#waiting.splice(0, entries.length);
    const pieces = entries.map((entry) => entry.piece(size.limit));
    return { entries, pieces, bytes: pieces.reduce((sum, piece) => sum + piece.bytes, 0) };
  }

  #entryAt(place: number): readonly [entry: DocumentEntry, isFresh: boolean] {
    const waiting = this.#waiting[place];
    if (waiting === undefined) throw new RangeError(`nothing waits at place ${place}`);
    if (waiting instanceof DocumentEntry) return [waiting, false];
    const { record, settle } = waiting;
    const entry = new DocumentEntry(
      record,
      settle,
      this.#around.protocol.linesOf(record.document, record.namespace),
    );
    this.#waiting[place] = entry;
    return [entry, true];
  }

  #conclude(request: WriteRequest, verdict: WriteVerdict): number {
    if (verdict.kind === 'failed') return this.#failed(request, verdict);
    this.#failures = 0;
    this.#around.troubles.worked(this.#database);
    if (verdict.kind === 'written') {
      this.#takenRequests += 1;
      this.#around.size.wasTaken();
      this.#keepUnless(request, (entry, piece) => entry.written(piece));
    } else if (verdict.kind === 'refused') {
      this.#refused(request, verdict.reason, verdict.isPartial);
    } else {
      this.#tooLarge(request, verdict.reason);
    }
    return 0;
  }

  /** A document alone is to blame; among several it is looked for, so that its neighbours are not refused with it. */
  #refused(request: WriteRequest, reason: string, isPartial: boolean): void {
    if (this.#separate(request)) return;
    this.#keepUnless(request, (entry, piece) => {
      if (!isPartial && entry.narrow(piece)) return this.#sendAgain(1);
      return entry.refused(piece, reason);
    });
  }

  #tooLarge(request: WriteRequest, reason: string): void {
    const points = request.pieces.reduce((sum, piece) => sum + piece.lines.length, 0);
    if (points > 1) {
      this.#around.size.wasTooLarge(request.bytes);
      this.#giveBack(request.entries);
      return;
    }
    this.#keepUnless(request, (entry, piece) => entry.refused(piece, `the point is too large: ${reason}`));
  }

  #failed(request: WriteRequest, failure: WriteFailure): number {
    this.#failures += 1;
    // An idle connection that the server closes just now is no news: the next try says whether there is trouble.
    if (failure.cause !== 'no-answer' || this.#failures > 1) {
      this.#around.troubles.failed(this.#database, failure);
    }
    if (failure.cause === 'no-answer') this.#around.size.hadNoAnswer(request.bytes);
    const isSuspect = failure.cause === 'broke-down' && this.#failures >= BREAKDOWNS_OF_SERVER;
    if (isSuspect) this.#suspect(request, failure.reason);
    else this.#giveBack(request.entries);
    const jitterMs = fullJitterMs(this.#failures, RETRY_BASE_MS, RETRY_CAP_MS);
    return Math.max(jitterMs, failure.retryAfterMs ?? 0);
  }

  /**
   * A server that breaks down again and again may do so because of one document. When that is found, and the server
   * takes others in between, waiting for better times would hold up everything for good.
   */
  #suspect(request: WriteRequest, reason: string): void {
    if (this.#separate(request)) return;
    const [entry] = request.entries;
    const [piece] = request.pieces;
    if (entry === undefined || piece === undefined) return;
    if (entry.takenAtBreakdown !== undefined && this.#takenRequests > entry.takenAtBreakdown) {
      entry.breakdowns += 1;
    }
    entry.takenAtBreakdown = this.#takenRequests;
    if (entry.breakdowns < BREAKDOWNS_OF_DOCUMENT) {
      this.#sendAgain(1);
      // The next one goes first, alone as well: it shows whether the server takes anything.
      this.#waiting.splice(1, 0, entry);
      this.#entryAt(0)[0].companyMax = 1;
      return;
    }
    this.#refused(request, `the server fails at it while it takes others: ${reason}`, false);
  }

  /** Has several documents sent again in smaller groups; false when it is only one. */
  #separate({ entries }: WriteRequest): boolean {
    if (entries.length <= 1) return false;
    for (const entry of entries) entry.companyMax = Math.ceil(entries.length / 2);
    this.#giveBack(entries);
    return true;
  }

  #giveBack(entries: readonly DocumentEntry[]): void {
    this.#sendAgain(entries.length);
    this.#waiting = [...entries, ...this.#waiting];
  }

  /** @param isOver does something to an entry and says whether it is settled; the others come next again */
  #keepUnless(
    { entries, pieces }: WriteRequest,
    isOver: (entry: DocumentEntry, piece: Piece) => boolean,
  ): void {
    const left = entries.filter((entry, place) => !isOver(entry, pieces[place] ?? { lines: [], bytes: 0 }));
    if (left.length > 0) this.#waiting = [...left, ...this.#waiting];
  }

  #sendAgain(records: number): false {
    this.#around.onSentAgain(records);
    return false;
  }
}
