import type { PointsDocument } from '../points-document.js';
import {
  aligned,
  LANE_WORD,
  type LaneViews,
  laneViews,
  RECORD_FLAG,
  RECORD_HEADER_BYTES,
  RECORD_WORD,
  RING_WORD,
  ringHeader,
} from './layout.js';

/** A points document on its way to the publisher. */
export interface OutgoingRecord {
  readonly namespace: string;
  readonly document: PointsDocument;
  /**
   * True: the publisher is woken for it at once, and sends a notice of what became of it. False: it is woken when its
   * patience, `RingWake.setPatience`, ends.
   */
  readonly awaited: boolean;
}

/**
 * The writing end of a lane. Exactly one thread holds it; a thread that follows one that died goes on behind the last
 * finished record, whatever the dead one had half written.
 */
export class LaneWriter {
  readonly lane: number;
  readonly #views: LaneViews;
  readonly #ringHeader: Int32Array;
  #written: number;
  #wakeTimer: NodeJS.Timeout | undefined;

  constructor(ring: SharedArrayBuffer, lane: number) {
    this.lane = lane;
    this.#views = laneViews(ring, lane);
    this.#ringHeader = ringHeader(ring);
    this.#written = Atomics.load(this.#views.header, LANE_WORD.written);
  }

  /** The most document bytes that a record of this lane can carry. */
  get maxDocumentBytes(): number {
    return this.#views.laneBytes / 2 - RECORD_HEADER_BYTES - 256;
  }

  /**
   * Writes a record if there is room for it now.
   * @returns the position behind the record, which names it; undefined when the lane is full
   * @throws RangeError for a document above `maxDocumentBytes`
   */
  tryWrite(record: OutgoingRecord): number | undefined {
    const { document, namespace } = record;
    if (document.bytes > this.maxDocumentBytes) {
      throw new RangeError(
        `a document of ${document.bytes} bytes is over the lane's bound of ${this.maxDocumentBytes}`,
      );
    }
    const length = aligned(RECORD_HEADER_BYTES + namespace.length + document.bytes);
    const place = this.#written & (this.#views.laneBytes - 1);
    const toEnd = this.#views.laneBytes - place;
    const padding = length > toEnd ? toEnd : 0;
    const unsettledBefore = this.#unsettledBytes();
    if (padding + length > this.#views.laneBytes - unsettledBefore) {
      this.#wakeReader();
      return undefined;
    }
    if (padding > 0) this.#putHeader(place, padding, 0, RECORD_FLAG.padding, 0);
    this.#putRecord(padding > 0 ? 0 : place, length, record);
    this.#publish(padding + length);
    if (record.awaited || this.#isFilling(unsettledBefore)) this.#wakeReader();
    else this.#wakeReaderInTime();
    return this.#written;
  }

  /**
   * Writes a record as soon as there is room.
   * @param isCancelled asked again whenever room was looked for in vain
   * @returns the position behind the record; undefined when cancelled
   */
  async write(record: OutgoingRecord, isCancelled: () => boolean): Promise<number | undefined> {
    for (;;) {
      const settled = Atomics.load(this.#views.header, LANE_WORD.settled);
      const position = this.tryWrite(record);
      if (position !== undefined || isCancelled()) return position;
      const room = Atomics.waitAsync(this.#views.header, LANE_WORD.settled, settled, ROOM_CHECK_MS);
      if (room.async) await room.value;
    }
  }

  #unsettledBytes(): number {
    const settled = Atomics.load(this.#views.header, LANE_WORD.settled);
    return (this.#written - settled) | 0;
  }

  /** True when the lane has just come to be so full that the reader had better begin. Once, as it may not get on. */
  #isFilling(unsettledBefore: number): boolean {
    const bound = this.#views.laneBytes / WAKE_AT_PART;
    return unsettledBefore <= bound && this.#unsettledBytes() > bound;
  }

  #putRecord(place: number, length: number, { namespace, document, awaited }: OutgoingRecord): void {
    const flags = awaited ? RECORD_FLAG.awaited : 0;
    this.#putHeader(place, length, document.points, namespace.length | flags, document.bytes);
    const { bytes } = this.#views;
    bytes.write(namespace, place + RECORD_HEADER_BYTES, 'latin1');
    bytes.write(document.text, place + RECORD_HEADER_BYTES + namespace.length, 'utf8');
  }

  #putHeader(
    place: number,
    length: number,
    points: number,
    namespaceAndFlags: number,
    documentBytes: number,
  ): void {
    const { words } = this.#views;
    const first = place / 4;
    words[first + RECORD_WORD.length] = length;
    words[first + RECORD_WORD.points] = points;
    words[first + RECORD_WORD.namespaceAndFlags] = namespaceAndFlags;
    words[first + RECORD_WORD.documentBytes] = documentBytes;
  }

  /**
   * The atomic store is what makes the plain writes before it visible: a reader that sees it sees them too. The other
   * word keeps a reader that is about to sleep from doing so.
   */
  #publish(length: number): void {
    this.#written = (this.#written + length) | 0;
    Atomics.store(this.#views.header, LANE_WORD.written, this.#written);
    Atomics.add(this.#ringHeader, RING_WORD.wake, 1);
  }

  /**
   * All writers wake the reader at the same moments, multiples of its patience: it then finds what all of them have
   * written, and is woken once. The clock is the machine's, so that the hosts of a fleet do not send all at once.
   */
  #wakeReaderInTime(): void {
    if (this.#wakeTimer !== undefined) return;
    const patienceMs = Atomics.load(this.#ringHeader, RING_WORD.patienceMs);
    if (patienceMs === 0) {
      this.#wakeReader();
      return;
    }
    const nowMs = Number(process.hrtime.bigint() / 1_000_000n);
    this.#wakeTimer = setTimeout(() => this.#wakeReader(), patienceMs - (nowMs % patienceMs));
  }

  #wakeReader(): void {
    clearTimeout(this.#wakeTimer);
    this.#wakeTimer = undefined;
    Atomics.notify(this.#ringHeader, RING_WORD.wake);
  }
}

/** The reader is woken when more than one part in this many of a lane is not settled. */
const WAKE_AT_PART = 4;

/** A waiter looks again this often even unasked, so that a cancelled one does not wait for traffic. */
const ROOM_CHECK_MS = 200;
