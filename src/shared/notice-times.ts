/**
 * When each kind of trouble was last logged, in memory that every thread sees: a trouble of the whole machine that all
 * runners meet again and again is said once a minute.
 */
const NOTICE = { shortage: 0, engine: 1 } as const;

/** Kinds of trouble that are said seldom. */
export type Notice = keyof typeof NOTICE;

const EVERY_S = 60;

/** Nothing was logged yet. */
export function createNoticeTimes(): SharedArrayBuffer {
  return new SharedArrayBuffer(Object.keys(NOTICE).length * Int32Array.BYTES_PER_ELEMENT);
}

/** Whether it is time to log a trouble. Whoever hears true does, the others not for a minute. */
export function isTimeToLog(times: SharedArrayBuffer, notice: Notice): boolean {
  const words = new Int32Array(times);
  const nowS = Math.max(1, Math.floor(process.hrtime()[0]));
  const lastS = Atomics.load(words, NOTICE[notice]);
  if (lastS !== 0 && nowS - lastS < EVERY_S) return false;
  return Atomics.compareExchange(words, NOTICE[notice], lastS, nowS) === lastS;
}

/** The same for what need be said only once. */
export function isFirstToLog(times: SharedArrayBuffer, notice: Notice): boolean {
  return Atomics.compareExchange(new Int32Array(times), NOTICE[notice], 0, 1) === 0;
}
