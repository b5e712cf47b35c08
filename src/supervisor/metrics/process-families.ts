import type { LoopLag } from './event-loop-lag.js';
import { type Family, single } from './family.js';
import type { ProcessUsage } from './process-usage.js';

/** What the agent costs its host; `process_` names are those that every Prometheus client has. */
export function processFamilies(usage: ProcessUsage, lag: LoopLag): readonly Family[] {
  return [
    single(
      'counter',
      'process_cpu_seconds_total',
      "Processor time of the agent's process, all its threads together; plugins are not in it.",
      usage.cpuSeconds,
    ),
    single(
      'gauge',
      'process_resident_memory_bytes',
      "Memory of the agent's process that is in RAM; plugins are not in it.",
      usage.residentBytes,
    ),
    single(
      'gauge',
      'process_start_time_seconds',
      "When the agent's process started, as unix time.",
      usage.startedAtSeconds,
    ),
    ...known('process_open_fds', 'File descriptors that are open.', usage.openDescriptors),
    ...known(
      'process_max_fds',
      'File descriptors that may be open; at this number neither connections nor plugins can be started.',
      usage.maxDescriptors,
    ),
    single(
      'gauge',
      'agent_event_loop_lag_p99_seconds',
      'How late the thread that answers HTTP comes to what is due, 99 of 100 times at most, over the last one to two minutes.',
      lag.p99Seconds,
    ),
    single(
      'gauge',
      'agent_event_loop_lag_max_seconds',
      'How late the thread that answers HTTP came to what was due, at worst, over the last one to two minutes.',
      lag.maxSeconds,
    ),
  ];
}

function known(name: string, help: string, value: number | undefined): readonly Family[] {
  return value === undefined ? [] : [single('gauge', name, help, value)];
}
