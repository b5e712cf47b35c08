import { printable } from '../../../../shared/printable.js';
import type { HostEnd } from './host-process.js';

/** Of stderr in a log line. Characters. */
const TAIL_MOST = 2000;

/** Lines that say why a Go program ends. */
const REASON = /^(?:panic: |fatal error: |SIG[A-Z]+: |runtime: |unexpected fault address).*$/m;

/** What is known of why a process ended, in words: how, and the line of a Go runtime that says why. */
export function crashReason({ how, stderrTail }: HostEnd): string {
  const line = REASON.exec(stderrTail)?.[0];
  return line === undefined ? how : `${how}, ${printable(line.slice(0, 300))}`;
}

/** The end of stderr for a log line: from the line on that says why, where there is one. */
export function crashTail({ stderrTail }: HostEnd): string {
  const at = REASON.exec(stderrTail)?.index;
  return at === undefined ? stderrTail.slice(-TAIL_MOST) : stderrTail.slice(at, at + TAIL_MOST);
}
