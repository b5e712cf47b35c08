/**
 * Where everything lies in the ring's SharedArrayBuffer: a ring header, one header per lane, then the lanes' data.
 *
 * A lane has one writer thread and one reader thread. Positions count bytes since the lane began, as 32-bit numbers
 * that wrap; `position & (laneBytes - 1)` is the place in the data. `written` is stored by the writer only, `settled`
 * by the reader only; the bytes between them belong to the reader. Hence no lock: a record becomes visible in one
 * store of `written`, and its space becomes free in one store of `settled`.
 */

/** 32-bit words of the ring header. */
export const RING_WORD = {
  /** Grows with every record of any lane; the reader sleeps on it. */
  wake: 0,
  laneCount: 1,
  laneBytes: 2,
  /** Milliseconds that the reader may be left asleep over records that nobody waits for; stored by the reader only. */
  patienceMs: 3,
} as const;

/** 32-bit words of a lane header; `written` and `settled` lie on cache lines of their own. */
export const LANE_WORD = {
  /** Position behind the last finished record. */
  written: 0,
  /** Position up to which every record is settled; also the sequence number of settlement. */
  settled: 16,
  /** Id of the thread that writes this lane, 0 = nobody. */
  owner: 32,
} as const;

const RING_HEADER_BYTES = 64;
const LANE_HEADER_BYTES = 192;

/** A record begins with this many bytes: length, points, namespace length and flags. */
export const RECORD_HEADER_BYTES = 16;

/** 32-bit words of a record header. */
export const RECORD_WORD = {
  /** Whole record in bytes, header and padding included. */
  length: 0,
  points: 1,
  /** Low 16 bits: length of the namespace; above: flags. */
  namespaceAndFlags: 2,
  /** Length of the document in bytes. */
  documentBytes: 3,
} as const;

/** Flags of a record, above the length of its namespace. */
export const RECORD_FLAG = {
  /** Nothing but padding up to the end of the lane's data. */
  padding: 1 << 16,
  /** Somebody waits to hear what became of this record. */
  awaited: 1 << 17,
} as const;

/** Records start at multiples of this. */
const ALIGNMENT = 16;

/** The length in bytes that a record of `bytes` takes up. */
export function aligned(bytes: number): number {
  return (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

/**
 * Makes an empty ring.
 * @param laneBytes data bytes of a lane: a power of two from 4 KiB to 1 GiB. A record may take half of it.
 */
export function createRing(laneCount: number, laneBytes: number): SharedArrayBuffer {
  if (!Number.isInteger(Math.log2(laneBytes)) || laneBytes < 4096 || laneBytes > 2 ** 30) {
    throw new RangeError(`a lane's size is a power of two from 4096 to ${2 ** 30} bytes, not ${laneBytes}`);
  }
  const ring = new SharedArrayBuffer(RING_HEADER_BYTES + laneCount * (LANE_HEADER_BYTES + laneBytes));
  const header = ringHeader(ring);
  header[RING_WORD.laneCount] = laneCount;
  header[RING_WORD.laneBytes] = laneBytes;
  return ring;
}

/** The words of the ring header. */
export function ringHeader(ring: SharedArrayBuffer): Int32Array {
  return new Int32Array(ring, 0, RING_HEADER_BYTES / 4);
}

/** How many lanes a ring has. */
export function laneCount(ring: SharedArrayBuffer): number {
  return ringHeader(ring)[RING_WORD.laneCount] ?? 0;
}

/** The views through which a lane is written or read. */
export interface LaneViews {
  readonly header: Int32Array;
  /** The lane's data as words, for record headers. */
  readonly words: Int32Array;
  /** The lane's data as bytes, for namespaces and documents. */
  readonly bytes: Buffer;
  readonly laneBytes: number;
}

/**
 * The views of a lane.
 * @throws RangeError when the ring has no such lane
 */
export function laneViews(ring: SharedArrayBuffer, lane: number): LaneViews {
  const [, count = 0, laneBytes = 0] = ringHeader(ring);
  if (lane < 0 || lane >= count) throw new RangeError(`the ring has lanes 0 to ${count - 1}, not ${lane}`);
  const headerStart = RING_HEADER_BYTES + lane * LANE_HEADER_BYTES;
  const dataStart = RING_HEADER_BYTES + count * LANE_HEADER_BYTES + lane * laneBytes;
  return {
    header: new Int32Array(ring, headerStart, LANE_HEADER_BYTES / 4),
    words: new Int32Array(ring, dataStart, laneBytes / 4),
    bytes: Buffer.from(ring, dataStart, laneBytes),
    laneBytes,
  };
}
