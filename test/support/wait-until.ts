import { setTimeout as sleep } from 'node:timers/promises';

const GIVE_UP_MS = 30_000;

/**
 * Waits until `probe` gives something other than undefined or false, looking again and again.
 * The bound only ends a test that would hang; no test depends on how long it takes.
 */
export async function waitUntil<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  giveUpMs = GIVE_UP_MS,
): Promise<T> {
  const giveUpAt = performance.now() + giveUpMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > giveUpAt) throw new Error(`waited ${giveUpMs / 1000} s in vain until ${what}`);
    await sleep(10);
  }
}
