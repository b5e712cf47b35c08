import { createHash } from 'node:crypto';

/** Bytes of the hash that are used: what a double holds exactly. */
const HASH_BYTES = 6;

/**
 * Where inside its interval a plugin runs, in ms from 0 up to (without) `intervalMs`. A hash of host and plugin, so it
 * is the same after every restart, and spread evenly over the plugins of a host and over the hosts of a plugin.
 */
export function phaseMs(host: string, key: string, intervalMs: number): number {
  const hash = createHash('sha256').update(`${host}\0${key}`).digest();
  return Math.floor((hash.readUIntBE(0, HASH_BYTES) / 2 ** (8 * HASH_BYTES)) * intervalMs);
}

/** The first time at or after `wallMs` (unix ms) that lies `phase` ms behind a whole multiple of the interval. */
export function firstSlotAtMs(wallMs: number, phase: number, intervalMs: number): number {
  const past = (wallMs - phase) % intervalMs;
  return past === 0 ? wallMs : wallMs + intervalMs - past;
}

/** The first slot later than `nowMs`, given one slot: a whole number of intervals on, however many were missed. */
export function nextSlotMs(slotMs: number, nowMs: number, intervalMs: number): number {
  const missed = Math.max(0, Math.floor((nowMs - slotMs) / intervalMs));
  return slotMs + (missed + 1) * intervalMs;
}
