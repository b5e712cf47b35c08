/**
 * A record on disk: a header of fixed size, the namespace, the document. All numbers are little-endian.
 *
 * The header has a check sum of its own, so its length can be trusted when only the body is damaged, and the next
 * record is found behind it. The header's sum starts from the salt of the segment: bytes that an earlier file left
 * in a block of the disk never pass for a record of this one.
 */
import { crc32 } from 'node:zlib';
import type { SpoolEntry, SpoolRecord } from './spool-entry.js';

export const RECORD_HEADER_BYTES = 40;

/** First bytes of every record. Not text, and not what files or memory are filled with. */
export const RECORD_MAGIC = Buffer.from([0xa7, 0x52, 0x9e, 0xc3]);

const AT = {
  magic: 0,
  namespaceBytes: 4,
  documentBytes: 8,
  points: 12,
  id: 16,
  storedAt: 24,
  bodySum: 32,
  headerSum: 36,
} as const;

const TWO_POW_32 = 2 ** 32;

export interface RecordHeader {
  readonly id: number;
  readonly points: number;
  readonly storedAt: number;
  readonly namespaceBytes: number;
  /** The whole record, header included. */
  readonly recordBytes: number;
}

export function recordBytes(record: SpoolRecord): number {
  return RECORD_HEADER_BYTES + Buffer.byteLength(record.namespace) + record.document.length;
}

/**
 * Copies a record to `at`; `finishRecord` must follow.
 * @returns the position behind it
 */
export function layRecord(target: Buffer, at: number, record: SpoolRecord, storedAt: number): number {
  RECORD_MAGIC.copy(target, at);
  const body = at + RECORD_HEADER_BYTES;
  const namespaceBytes = target.write(record.namespace, body);
  target.writeUInt32LE(namespaceBytes, at + AT.namespaceBytes);
  target.writeUInt32LE(record.document.length, at + AT.documentBytes);
  target.writeUInt32LE(record.points, at + AT.points);
  writeSafeInteger(target, storedAt, at + AT.storedAt);
  target.set(record.document, body + namespaceBytes);
  const end = body + namespaceBytes + record.document.length;
  target.writeUInt32LE(crc32(target.subarray(body, end)), at + AT.bodySum);
  return end;
}

/** Names a record and seals its header, once it is known which segment it goes to. */
export function finishRecord(bytes: Buffer, at: number, id: number, salt: number): void {
  writeSafeInteger(bytes, id, at + AT.id);
  bytes.writeUInt32LE(crc32(bytes.subarray(at, at + AT.headerSum), salt), at + AT.headerSum);
}

/** The header at `at`; undefined when there is no sound one. */
export function parseHeader(bytes: Buffer, at: number, salt: number): RecordHeader | undefined {
  if (at + RECORD_HEADER_BYTES > bytes.length) return undefined;
  if (RECORD_MAGIC.compare(bytes, at, at + RECORD_MAGIC.length) !== 0) return undefined;
  const sum = crc32(bytes.subarray(at, at + AT.headerSum), salt);
  if (sum !== bytes.readUInt32LE(at + AT.headerSum)) return undefined;
  const namespaceBytes = bytes.readUInt32LE(at + AT.namespaceBytes);
  return {
    id: readSafeInteger(bytes, at + AT.id),
    points: bytes.readUInt32LE(at + AT.points),
    storedAt: readSafeInteger(bytes, at + AT.storedAt),
    namespaceBytes,
    recordBytes: RECORD_HEADER_BYTES + namespaceBytes + bytes.readUInt32LE(at + AT.documentBytes),
  };
}

/** True when the body at `at` is whole and sound. */
export function isBodySound(bytes: Buffer, at: number, header: RecordHeader): boolean {
  const end = at + header.recordBytes;
  if (end > bytes.length) return false;
  return crc32(bytes.subarray(at + RECORD_HEADER_BYTES, end)) === bytes.readUInt32LE(at + AT.bodySum);
}

export function namespaceAt(bytes: Buffer, at: number, header: RecordHeader): string {
  const start = at + RECORD_HEADER_BYTES;
  return bytes.toString('utf8', start, start + header.namespaceBytes);
}

/** The record at `at` as a view of `bytes`; undefined when it is damaged or another one than `id`. */
export function parseRecord(bytes: Buffer, at: number, id: number, salt: number): SpoolEntry | undefined {
  const header = parseHeader(bytes, at, salt);
  if (!header || header.id !== id || !isBodySound(bytes, at, header)) return undefined;
  const documentStart = at + RECORD_HEADER_BYTES + header.namespaceBytes;
  return {
    id,
    namespace: namespaceAt(bytes, at, header),
    points: header.points,
    storedAt: header.storedAt,
    document: bytes.subarray(documentStart, at + header.recordBytes),
  };
}

function writeSafeInteger(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % TWO_POW_32, at);
  bytes.writeUInt32LE(Math.floor(value / TWO_POW_32), at + 4);
}

function readSafeInteger(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * TWO_POW_32;
}
