import { uptime } from 'node:os';

/** The times that the schedule goes by, and its one timer. */
export interface Clock {
  /** Unix ms; jumps when somebody sets the clock. */
  wallMs(): number;
  /** Ms since some moment; never jumps, and counts the time that the machine was suspended. */
  monotonicMs(): number;
  /** Calls back after `delayMs`; gives the function that cancels it. */
  setTimer(callback: () => void, delayMs: number): () => void;
}

/** Where the machine's clock takes its times from, in ms. */
export interface TimeSources {
  /** Stands still while the machine is suspended. */
  steadyMs(): number;
  /** Time since the machine was started, time of suspension included. */
  uptimeMs(): number;
}

/** Asking for the uptime reads a file: at most this often. */
const UPTIME_EVERY_MS = 1000;
/** The uptime is rounded; only a growth beyond this is a suspension. */
const SUSPENSION_MS = 2000;

const MACHINE: TimeSources = { steadyMs: () => performance.now(), uptimeMs: () => uptime() * 1000 };

/**
 * The clock of this machine. Node's own monotonic clock stands still while the machine sleeps; the uptime does not,
 * so what the uptime gained on it was sleep, and is added.
 */
export function machineClock(sources: TimeSources = MACHINE): Clock {
  let readAt = sources.steadyMs();
  let ahead = sources.uptimeMs() - readAt;
  let suspended = 0;
  const monotonicMs = () => {
    const steady = sources.steadyMs();
    if (steady - readAt < UPTIME_EVERY_MS) return steady + suspended;
    const gained = sources.uptimeMs() - steady - ahead;
    if (gained > SUSPENSION_MS) suspended += gained;
    readAt = steady;
    ahead += gained;
    return steady + suspended;
  };
  const setTimer = (callback: () => void, delayMs: number) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  };
  return { wallMs: () => Date.now(), monotonicMs, setTimer };
}
