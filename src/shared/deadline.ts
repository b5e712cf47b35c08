/**
 * Calls `late` when so much time has passed and what came meanwhile was looked at. A thread that was held up, as on a
 * machine that stood still, finds its timers due first: what had come in time would count as late.
 * @returns calls it off
 */
export function startDeadline(ms: number, late: () => void): () => void {
  let lastLook: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    lastLook = setImmediate(late);
  }, ms);
  return () => {
    clearTimeout(timer);
    clearImmediate(lastLook);
  };
}
