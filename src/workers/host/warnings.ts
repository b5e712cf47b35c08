import type { Log } from '../../shared/log.js';

/** How often something is said. */
export interface Repeat {
  /** What the sentence is about: the same is not said again, in whatever words. The sentence itself when left out. */
  readonly about?: string;
  /** For how long it is not said again; a day when left out. */
  readonly everyMs?: number;
}

/** Says something to the operator. */
export type Warn = (sentence: string, repeat?: Repeat) => void;

const DAY_MS = 86_400_000;
/** More than any host has reasons for; beyond, the oldest may come again. */
const REMEMBERED_MAX = 1000;

/** A warner that does not repeat itself at every round, whatever lasts or comes and goes. */
export function warnings(log: Log, now: () => number = () => performance.now()): Warn {
  const said = new Map<string, number>();
  return (sentence, { about = sentence, everyMs = DAY_MS } = {}) => {
    const last = said.get(about);
    if (last !== undefined && now() - last < everyMs) return;
    said.delete(about);
    said.set(about, now());
    const [oldest] = said.keys();
    if (said.size > REMEMBERED_MAX && oldest !== undefined) said.delete(oldest);
    log.warn({ part: 'host' }, sentence);
  };
}
