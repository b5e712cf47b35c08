import { LANE_WORD, laneCount, laneViews } from './layout.js';

/**
 * Takes the first free lane from `firstLane` on for a thread. Happens once in a thread's life, so a compare-and-swap
 * does no harm here.
 * @throws RangeError when every lane is taken
 */
export function claimLane(ring: SharedArrayBuffer, firstLane: number, threadId: number): number {
  for (let lane = firstLane; lane < laneCount(ring); lane += 1) {
    const { header } = laneViews(ring, lane);
    if (Atomics.compareExchange(header, LANE_WORD.owner, 0, threadId) === 0) return lane;
  }
  throw new RangeError(`thread ${threadId} found no free lane in the ring`);
}

/** The lane that a thread holds; undefined when it holds none. */
export function laneOf(ring: SharedArrayBuffer, threadId: number): number | undefined {
  for (let lane = 0; lane < laneCount(ring); lane += 1) {
    if (Atomics.load(laneViews(ring, lane).header, LANE_WORD.owner) === threadId) return lane;
  }
  return undefined;
}

/** Gives back the lane of a thread that has ended, so that its successor can go on where it stopped. */
export function releaseLane(ring: SharedArrayBuffer, lane: number): void {
  Atomics.store(laneViews(ring, lane).header, LANE_WORD.owner, 0);
}
