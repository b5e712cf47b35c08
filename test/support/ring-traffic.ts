import type { OutgoingRecord } from '../../src/shared/ring/lane-writer.js';
import { LANE_WORD, laneViews } from '../../src/shared/ring/layout.js';

/** What a producer thread is told. */
export interface ProducerSetup {
  readonly ring: SharedArrayBuffer;
  readonly lane: number;
  readonly seed: number;
  /** Number of its first record, and the number at which it stops. */
  readonly first: number;
  readonly end: number;
  /** Longest document. */
  readonly maxBytes: number;
  /** True: stops for good when it has written its first record but not published it, and says so. */
  readonly hangsBeforePublishing?: boolean;
}

/** The record number `n` of a lane: its content follows from the numbers alone, so that both sides know it. */
export function trafficRecord(
  lane: number,
  n: number,
  { seed, maxBytes }: { readonly seed: number; readonly maxBytes: number },
): OutgoingRecord {
  const random = pseudoRandom(seed * 31 + lane * 1_000_003 + n);
  const head = `${lane}:${n}:`;
  // Now and then a record at the bound; most are much smaller.
  const room = maxBytes - Buffer.byteLength(head);
  const length = random() < 0.05 ? room : Math.floor(random() ** 3 * room);
  const isMultiByte = random() < 0.3;
  const filler = isMultiByte ? 'ü'.repeat(length >> 1) : String.fromCharCode(97 + (n % 26)).repeat(length);
  const text = head + filler;
  return {
    namespace: `lane-${lane}.n${n % 1000}`,
    document: { text, bytes: Buffer.byteLength(text), points: n },
    awaited: random() < 0.5,
  };
}

/** Numbers from 0 to 1 that follow from the seed. */
export function pseudoRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Makes an unused lane start at a position other than 0, as one that has been in use for long. */
export function startLaneAt(ring: SharedArrayBuffer, lane: number, position: number): void {
  const { header } = laneViews(ring, lane);
  Atomics.store(header, LANE_WORD.written, position);
  Atomics.store(header, LANE_WORD.settled, position);
}
