import {
  LANE_WORD,
  type LaneViews,
  laneCount,
  laneViews,
  RECORD_FLAG,
  RECORD_HEADER_BYTES,
  RECORD_WORD,
} from './layout.js';

/** A record as the reader sees it. `document` is a view of the ring: valid until the record is settled. */
export interface RingRecord {
  readonly lane: number;
  /** The position behind the record, which names it within its lane. */
  readonly end: number;
  readonly namespace: string;
  readonly points: number;
  readonly awaited: boolean;
  readonly document: Buffer;
}

/**
 * The reading end of a lane. Reading a record does not free its space, settling does: what was read but not settled
 * is read again by a successor, so a reader that dies loses nothing.
 */
export class LaneReader {
  readonly lane: number;
  readonly #views: LaneViews;
  #next: number;

  constructor(ring: SharedArrayBuffer, lane: number) {
    this.lane = lane;
    this.#views = laneViews(ring, lane);
    this.#next = Atomics.load(this.#views.header, LANE_WORD.settled);
  }

  /** The next record that was not read yet; undefined when there is none. */
  read(): RingRecord | undefined {
    const written = Atomics.load(this.#views.header, LANE_WORD.written);
    while (this.#next !== written) {
      const record = this.#recordAt(this.#next);
      this.#next = record.end;
      if ('document' in record) return record;
    }
    return undefined;
  }

  /** True when everything that was written is settled. */
  get isSettled(): boolean {
    const { header } = this.#views;
    return Atomics.load(header, LANE_WORD.settled) === Atomics.load(header, LANE_WORD.written);
  }

  /** Frees the space of all records up to `position` and wakes a writer that waits for it. */
  settle(position: number): void {
    Atomics.store(this.#views.header, LANE_WORD.settled, position);
    Atomics.notify(this.#views.header, LANE_WORD.settled);
  }

  #recordAt(position: number): RingRecord | { readonly end: number } {
    const { words, bytes, laneBytes } = this.#views;
    const place = position & (laneBytes - 1);
    const first = place / 4;
    const length = words[first + RECORD_WORD.length] ?? 0;
    const namespaceAndFlags = words[first + RECORD_WORD.namespaceAndFlags] ?? 0;
    if (length < RECORD_HEADER_BYTES || place + length > laneBytes) {
      throw new Error(`lane ${this.lane} is damaged at position ${position}: a record of ${length} bytes`);
    }
    const end = (position + length) | 0;
    if (namespaceAndFlags & RECORD_FLAG.padding) return { end };
    const namespaceStart = place + RECORD_HEADER_BYTES;
    const documentStart = namespaceStart + (namespaceAndFlags & 0xffff);
    return {
      lane: this.lane,
      end,
      namespace: bytes.toString('latin1', namespaceStart, documentStart),
      points: words[first + RECORD_WORD.points] ?? 0,
      awaited: (namespaceAndFlags & RECORD_FLAG.awaited) !== 0,
      document: bytes.subarray(
        documentStart,
        documentStart + (words[first + RECORD_WORD.documentBytes] ?? 0),
      ),
    };
  }
}

/** Counts what is in the ring and not settled. Of use when its reader is gone. */
export function countUnsettled(ring: SharedArrayBuffer): { records: number; points: number } {
  const lanes = Array.from({ length: laneCount(ring) }, (_, lane) => new LaneReader(ring, lane));
  return countUnread(lanes);
}

/** Reads all that lanes still hold and counts it. */
export function countUnread(lanes: Iterable<LaneReader>): { records: number; points: number } {
  let records = 0;
  let points = 0;
  for (const lane of lanes) {
    for (let record = lane.read(); record; record = lane.read()) {
      records += 1;
      points += record.points;
    }
  }
  return { records, points };
}
