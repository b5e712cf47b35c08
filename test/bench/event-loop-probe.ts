/**
 * Loaded into the measured agent's main thread (`NODE_OPTIONS=--import=…`): on SIGWINCH it writes the event-loop delays
 * since the last signal, in milliseconds, to the file named by BENCH_PROBE_FILE.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const file = process.env.BENCH_PROBE_FILE;

if (isMainThread && file !== undefined) {
  const RESOLUTION_MS = 5;
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  process.on('SIGWINCH', () => {
    const inMs = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
    const report = {
      p50: inMs(delays.percentile(50)),
      p99: inMs(delays.percentile(99)),
      max: inMs(delays.max),
    };
    delays.reset();
    writeFileSync(`${file}.new`, JSON.stringify(report));
    renameSync(`${file}.new`, file);
  });
}
