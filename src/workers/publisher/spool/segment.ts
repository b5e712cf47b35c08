import { AcknowledgedSet } from './acknowledged-set.js';
import { ENTRY_BYTES } from './acknowledgement-journal.js';
import type { Contents } from './contents.js';
import { footerBytesAtMost } from './footer.js';
import { type SegmentName, wholeBlocks } from './spool-file.js';

/** What is known of a segment without its table of contents. */
export interface SegmentSummary {
  readonly count: number;
  readonly points: number;
  readonly firstStoredAt: number;
  readonly fileBytes: number;
}

/**
 * One file of consecutive records and what is known of it in memory: little, as the table of contents is there only
 * while it is needed. A record is named here by its index, its id less the segment's first.
 */
export class Segment {
  readonly name: SegmentName;
  /** All records that the file ever had. */
  count = 0;
  fileBytes = 0;
  journalBytes = 0;
  /** No records are added any more. */
  isSealed = false;
  /** New records may be put behind those of an earlier process: none is lost whose id they would get. */
  mayContinue = false;
  /** Its files are gone. */
  isRemoved = false;
  #contents: Contents | undefined;
  #points = 0;
  #oldestStoredAt = 0;
  readonly #acknowledged = new AcknowledgedSet();
  #acknowledgedPoints = 0;
  /** Acknowledged while the table of contents was not there, so their points are not known yet. */
  #unpriced: number[] = [];
  #unjournaled: number[] = [];

  constructor(name: SegmentName) {
    this.name = name;
  }

  /** A finished segment as its trailer describes it. */
  static sealed(name: SegmentName, summary: SegmentSummary): Segment {
    const segment = new Segment(name);
    segment.count = summary.count;
    segment.fileBytes = summary.fileBytes;
    segment.isSealed = true;
    segment.#points = summary.points;
    segment.#oldestStoredAt = summary.firstStoredAt;
    return segment;
  }

  /** The id behind the last record. */
  get endId(): number {
    return this.name.firstId + this.count;
  }

  /** Records that are not acknowledged. */
  get remaining(): number {
    return this.count - this.#acknowledged.size;
  }

  /** Points that are not acknowledged. Too many while the table of contents is not there to say what was. */
  get remainingPoints(): number {
    if (this.remaining === 0) return 0;
    return (this.#contents?.points ?? this.#points) - this.#acknowledgedPoints;
  }

  /** When the oldest record that is not acknowledged was stored, in milliseconds since 1970. */
  get oldestStoredAt(): number {
    if (!this.#contents) return this.#oldestStoredAt;
    return this.#contents.storedAtOf(this.firstRemaining(0));
  }

  get contents(): Contents | undefined {
    return this.#contents;
  }

  /** What its files take from the bound of the spool, with all that acknowledging can still add. */
  get reservedBytes(): number {
    const footer = this.isSealed || !this.#contents ? 0 : footerBytesAtMost(this.#contents);
    return wholeBlocks(this.fileBytes + footer) + wholeBlocks(this.count * ENTRY_BYTES);
  }

  get hasUnjournaled(): boolean {
    return this.#unjournaled.length > 0;
  }

  /**
   * Takes its table of contents. Records that are missing in it count as acknowledged.
   * @returns those of them that did not before
   */
  attach(contents: Contents): number[] {
    const lost: number[] = [];
    this.#contents = contents;
    this.count = Math.max(this.count, contents.count);
    for (let index = 0; index < this.count; index += 1) {
      const isMissing = index >= contents.count || contents.isMissing(index);
      if (isMissing && this.#acknowledged.add(index)) lost.push(index);
    }
    for (const index of this.#unpriced) this.#acknowledgedPoints += contents.pointsOf(index);
    this.#unpriced = [];
    return lost;
  }

  /** Has it noted on disk that records which the table of contents lacks are settled for good. */
  giveUp(indices: readonly number[]): void {
    this.#unjournaled.push(...indices);
  }

  /** Forgets the table of contents, which can be read again; not that of a segment which is being written. */
  detach(): void {
    if (!this.#contents || !this.isSealed) return;
    this.#oldestStoredAt = this.oldestStoredAt;
    this.#points = this.#contents.points;
    this.#contents = undefined;
  }

  get isPriced(): boolean {
    return this.#unpriced.length === 0;
  }

  /** Counts a record that was written behind the others. The table of contents must be there. */
  added(offset: number, end: number, points: number, storedAt: number, namespace: string): void {
    this.#contents?.add(offset, end, points, storedAt, namespace);
    this.count += 1;
    this.fileBytes = end;
  }

  /** False when the record was acknowledged before, or is none of this segment. */
  acknowledge(index: number): boolean {
    if (!this.#markAcknowledged(index)) return false;
    this.#unjournaled.push(index);
    return true;
  }

  /** Takes over what the journal says. */
  restoreAcknowledged(first: number, count: number): void {
    const end = Math.min(first + count, this.count);
    for (let index = first; index < end; index += 1) this.#markAcknowledged(index);
  }

  /** The acknowledgements that are not in the journal yet; from now on they count as written. */
  takeUnjournaled(): number[] {
    const indices = this.#unjournaled;
    this.#unjournaled = [];
    return indices;
  }

  /** Gives back what could not be written after all. */
  putBackUnjournaled(indices: readonly number[]): void {
    this.#unjournaled = [...indices, ...this.#unjournaled];
  }

  isAcknowledged(index: number): boolean {
    return this.#acknowledged.has(index);
  }

  /** The first record from `from` on that is not acknowledged; `count` when there is none. */
  firstRemaining(from: number): number {
    return this.#acknowledged.firstOutside(from, this.count);
  }

  /** All records that are not acknowledged. */
  *remainingIndices(): Generator<number> {
    for (let index = this.firstRemaining(0); index < this.count; index = this.firstRemaining(index + 1)) {
      yield index;
    }
  }

  #markAcknowledged(index: number): boolean {
    if (index < 0 || index >= this.count || !this.#acknowledged.add(index)) return false;
    if (this.#contents) this.#acknowledgedPoints += this.#contents.pointsOf(index);
    else this.#unpriced.push(index);
    return true;
  }
}
