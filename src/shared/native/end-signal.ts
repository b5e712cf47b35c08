import { constants } from 'node:os';

/** A signal that ended a process: by its name, or its number where Node.js has no name for it, as for real-time signals. */
export type EndSignal = NodeJS.Signals | `signal ${number}`;

const NAMES = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number, name as NodeJS.Signals]),
);
const NUMBERS = new Map<string, number>(Object.entries(constants.signals));

/** The signal of a number. */
export function endSignal(number: number): EndSignal {
  return NAMES.get(number) ?? `signal ${number}`;
}

/** The number of a signal. */
export function signalNumber(signal: EndSignal): number {
  return NUMBERS.get(signal) ?? Number(signal.slice('signal '.length));
}
