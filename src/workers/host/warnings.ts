import type { Log } from '../../shared/log.js';

/** Says something to the operator. @param everyMs how long the same sentence is not said again; a day when left out */
export type Warn = (sentence: string, everyMs?: number) => void;

const DAY_MS = 86_400_000;
/** More different sentences than any host has reasons for; beyond, the oldest may come again. */
const REMEMBERED_MAX = 1000;

/** A warner that does not repeat itself at every round, whatever lasts or comes and goes. */
export function warnings(log: Log, now: () => number = () => performance.now()): Warn {
  const said = new Map<string, number>();
  return (sentence, everyMs = DAY_MS) => {
    const last = said.get(sentence);
    if (last !== undefined && now() - last < everyMs) return;
    said.delete(sentence);
    said.set(sentence, now());
    const [oldest] = said.keys();
    if (said.size > REMEMBERED_MAX && oldest !== undefined) said.delete(oldest);
    log.warn({ part: 'host' }, sentence);
  };
}
