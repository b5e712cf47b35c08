/**
 * What the supervisor and the worker of a long-running plugin share while it runs: whether its end is wanted, which
 * tells an end on purpose from a failure, and how much came of it so far.
 */
export type StreamControl = SharedArrayBuffer;

const END_WANTED = 0;
const POINTS = 1;
const BAD_METRICS = 2;
const WORDS = 3;

/** Of a process that is to be started. */
export function createStreamControl(): StreamControl {
  return new SharedArrayBuffer(WORDS * BigInt64Array.BYTES_PER_ELEMENT);
}

/** Says that the process is ended on purpose; to be called before it is sent a signal. */
export function wantEnd(control: StreamControl): void {
  Atomics.store(new BigInt64Array(control), END_WANTED, 1n);
}

/** Whether the process is ended on purpose. */
export function isEndWanted(control: StreamControl): boolean {
  return Atomics.load(new BigInt64Array(control), END_WANTED) === 1n;
}

/** What a process has printed so far. */
export interface StreamCounts {
  readonly points: number;
  readonly badMetrics: number;
}

/** Adds to what the process has printed. */
export function addCounts(control: StreamControl, { points, badMetrics }: StreamCounts): void {
  const words = new BigInt64Array(control);
  Atomics.add(words, POINTS, BigInt(points));
  Atomics.add(words, BAD_METRICS, BigInt(badMetrics));
}

/** What the process has printed so far. */
export function countsOf(control: StreamControl): StreamCounts {
  const words = new BigInt64Array(control);
  return {
    points: Number(Atomics.load(words, POINTS)),
    badMetrics: Number(Atomics.load(words, BAD_METRICS)),
  };
}
