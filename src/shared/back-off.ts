/**
 * How long to wait before try number `attempt` (1 = the first retry): "full jitter", that is at random between
 * 0 and the bound, where the bound doubles from `baseMs` up to `capMs`. Spreads the retries of many hosts.
 */
export function fullJitterMs(attempt: number, baseMs: number, capMs: number): number {
  const bound = Math.min(capMs, baseMs * 2 ** Math.min(attempt - 1, 30));
  return Math.random() * bound;
}
