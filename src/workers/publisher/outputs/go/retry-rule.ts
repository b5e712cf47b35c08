import type { GoOutputSettings, RetryLimit } from '../../../../shared/output-settings.js';

/** Whether a chunk that was put off so many times may be tried once more. */
export function mayRetry(limit: RetryLimit, tries: number): boolean {
  if (limit === 'unlimited') return true;
  return limit !== 'none' && tries <= limit;
}

/**
 * How long to wait before try number `n` (1 = the first retry), in milliseconds: at random between the base and the
 * lesser of the cap and base·2ⁿ, as Fluent Bit does.
 */
export function retryDelayMs(
  { retryBaseMs, retryCapMs }: Pick<GoOutputSettings, 'retryBaseMs' | 'retryCapMs'>,
  n: number,
): number {
  const bound = Math.max(retryBaseMs, Math.min(retryCapMs, retryBaseMs * 2 ** Math.min(n, 30)));
  return retryBaseMs + Math.random() * (bound - retryBaseMs);
}
