import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessEngine, ProcessRequest, ProcessStart } from './started-process.js';

/** What came of starting a process, and how long that took. */
export interface PatientStart {
  readonly start: ProcessStart;
  readonly waitedMs: number;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2000;

/**
 * Starts a process, and tries again for as long as the system is out of processes, memory or descriptors.
 * @param withinMs no try is made later than this; the last one's failure is what came of it
 * @param onShortage called at each shortage, with its sentence
 */
export async function startPatiently(
  engine: ProcessEngine,
  request: ProcessRequest,
  withinMs: number,
  onShortage: (problem: string) => void,
): Promise<PatientStart> {
  const begunAt = performance.now();
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS)) {
    const start = await engine.start(request);
    const waitedMs = performance.now() - begunAt;
    if (start.type === 'started' || !start.isShortage) return { start, waitedMs };
    onShortage(start.problem);
    if (waitedMs + delayMs >= withinMs) return { start, waitedMs };
    await sleep(delayMs);
  }
}
