import { printable } from '../../../../shared/printable.js';
import type { HostEnd } from './host-process.js';

/** Of stderr in a log line. Characters. */
const TAIL_MOST = 2000;
const REASON_MOST = 300;

/** Lines that say why a Go program ends, the most telling first. */
const REASONS = [/^panic: .*$/m, /^SIG[A-Z]+: .*$/m, /^fatal error: .*$/m, /^runtime: .*$/m];

/**
 * The function that panicked, in a trace. Where `forgetThreads` of the host finds nothing to set (a library whose symbols
 * are hidden), a panic may end with an error of the runtime in place of its own words.
 */
const PANICKED = /^panic\(.*\n.*\n(\S+)\(.*\n\s+(\S+)/m;

/** What is known of why a process ended, in words: how, and the line of a Go runtime that says why. */
export function crashReason({ how, stderrTail }: HostEnd): string {
  const line = reasonLine(stderrTail);
  return line === undefined ? how : `${how}, ${printable(line.slice(0, REASON_MOST))}`;
}

/** The end of stderr for a log line: from the line on that says why, where there is one. */
export function crashTail({ stderrTail }: HostEnd): string {
  const places = REASONS.map((reason) => reason.exec(stderrTail)?.index ?? -1).filter((place) => place >= 0);
  return places.length === 0
    ? stderrTail.slice(-TAIL_MOST)
    : stderrTail.slice(Math.min(...places)).slice(0, TAIL_MOST);
}

function reasonLine(text: string): string | undefined {
  const found = REASONS.map((reason) => reason.exec(text)?.[0]).find((line) => line !== undefined);
  const [, panicked, place] = PANICKED.exec(text) ?? [];
  if (found?.startsWith('panic: ') || panicked === undefined) return found;
  return `panic: in ${panicked} (${place})`;
}
