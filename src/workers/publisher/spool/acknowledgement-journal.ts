/**
 * The acknowledgements of a segment on disk, in a file beside it: ranges of records, each entry with a check sum of
 * its own, so that a damaged or cut one costs only itself. What a lost entry named is delivered again, never less.
 */

import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { readAt, writeAt } from './spool-file.js';

/** Index of the first record, number of records, check sum. */
export const ENTRY_BYTES = 12;

/** Entries read at a time. */
const CHUNK_BYTES = ENTRY_BYTES * 8192;

/** Writes `indices` (in any order, each once) at `position`; the answer is the position behind them. */
export async function writeEntries(
  journal: FileHandle,
  position: number,
  indices: readonly number[],
  salt: number,
): Promise<number> {
  const bytes = encodeEntries(indices, salt);
  await writeAt(journal, position, [bytes]);
  return position + bytes.length;
}

/** Tells `onRange` every range in the journal; the answer is the length of its whole entries in bytes. */
export async function readEntries(
  journal: FileHandle,
  salt: number,
  onRange: (first: number, count: number) => void,
): Promise<number> {
  for (let position = 0; ; position += CHUNK_BYTES) {
    const chunk = await readAt(journal, position, CHUNK_BYTES);
    const whole = chunk.length - (chunk.length % ENTRY_BYTES);
    for (let at = 0; at < whole; at += ENTRY_BYTES) {
      if (crc32(chunk.subarray(at, at + 8), salt) !== chunk.readUInt32LE(at + 8)) continue;
      onRange(chunk.readUInt32LE(at), chunk.readUInt32LE(at + 4));
    }
    if (chunk.length < CHUNK_BYTES) return position + whole;
  }
}

function encodeEntries(indices: readonly number[], salt: number): Buffer {
  const sorted = Uint32Array.from(indices).sort();
  const bytes = Buffer.allocUnsafe(sorted.length * ENTRY_BYTES);
  let at = 0;
  let start = 0;
  for (let next = 1; next <= sorted.length; next += 1) {
    const first = sorted[start] ?? 0;
    if (next < sorted.length && sorted[next] === first + (next - start)) continue;
    bytes.writeUInt32LE(first, at);
    bytes.writeUInt32LE(next - start, at + 4);
    bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 8), salt), at + 8);
    at += ENTRY_BYTES;
    start = next;
  }
  return bytes.subarray(0, at);
}
