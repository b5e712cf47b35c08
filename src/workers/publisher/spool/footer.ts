/**
 * The end of a finished segment: its table of contents, and behind it a trailer of fixed size with the sums.
 * Opening a spool reads the trailers alone. A segment without a sound footer is read through instead.
 */
import { crc32 } from 'node:zlib';
import { Contents } from './contents.js';

export const TRAILER_BYTES = 40;

/** What a row of the table takes. */
export const ROW_BYTES = 16;

/** First bytes of a footer: where the records end. */
export const FOOTER_MAGIC = Buffer.from([0xa7, 0x46, 0x9e, 0xc3]);

const HEAD_BYTES = 16;
const HEAD = { count: 4, dataEnd: 8, namespaceBytes: 12 } as const;
const TRAILER = {
  footerBytes: 4,
  count: 8,
  missing: 12,
  points: 16,
  firstSeconds: 24,
  footerSum: 28,
  trailerSum: 32,
  magic: 36,
} as const;

export interface Trailer {
  /** The whole footer, trailer included. */
  readonly footerBytes: number;
  readonly count: number;
  readonly missing: number;
  readonly points: number;
  /** When the first record was stored, in milliseconds since 1970. */
  readonly firstStoredAt: number;
}

/** What the footer of `contents` takes at most. A character of a namespace is at most 6 bytes in JSON. */
export function footerBytesAtMost(contents: Contents): number {
  const names = contents.namespaceCharacters * 6 + contents.namespaces.length * 3 + 2;
  return HEAD_BYTES + contents.count * ROW_BYTES + names + TRAILER_BYTES;
}

export function encodeFooter(contents: Contents, salt: number): Buffer {
  const namespaces = Buffer.from(JSON.stringify(contents.namespaces));
  const rows = contents.rows();
  const body = HEAD_BYTES + rows.length + namespaces.length;
  const footer = Buffer.alloc(body + TRAILER_BYTES);
  FOOTER_MAGIC.copy(footer);
  footer.writeUInt32LE(contents.count, HEAD.count);
  footer.writeUInt32LE(contents.dataEnd, HEAD.dataEnd);
  footer.writeUInt32LE(namespaces.length, HEAD.namespaceBytes);
  footer.set(rows, HEAD_BYTES);
  footer.set(namespaces, HEAD_BYTES + rows.length);
  writeTrailer(footer.subarray(body), contents, footer.length, crc32(footer.subarray(0, body), salt), salt);
  return footer;
}

/** Undefined when the last bytes of the file are no sound trailer. */
export function parseTrailer(trailer: Buffer, salt: number): Trailer | undefined {
  if (trailer.length !== TRAILER_BYTES) return undefined;
  if (FOOTER_MAGIC.compare(trailer, TRAILER.magic) !== 0) return undefined;
  const sum = crc32(trailer.subarray(0, TRAILER.trailerSum), salt);
  if (sum !== trailer.readUInt32LE(TRAILER.trailerSum)) return undefined;
  return {
    footerBytes: trailer.readUInt32LE(TRAILER.footerBytes),
    count: trailer.readUInt32LE(TRAILER.count),
    missing: trailer.readUInt32LE(TRAILER.missing),
    points: trailer.readDoubleLE(TRAILER.points),
    firstStoredAt: trailer.readUInt32LE(TRAILER.firstSeconds) * 1000,
  };
}

/** The table of contents of a whole footer; undefined when it is damaged. */
export function parseFooter(footer: Buffer, salt: number): Contents | undefined {
  const body = footer.length - TRAILER_BYTES;
  if (body < HEAD_BYTES) return undefined;
  const trailer = footer.subarray(body);
  if (parseTrailer(trailer, salt)?.footerBytes !== footer.length) return undefined;
  const sum = crc32(footer.subarray(0, body), salt);
  if (sum !== trailer.readUInt32LE(TRAILER.footerSum)) return undefined;
  const count = footer.readUInt32LE(HEAD.count);
  const namespacesStart = HEAD_BYTES + count * ROW_BYTES;
  const rows = new Uint32Array(count * (ROW_BYTES / 4));
  new Uint8Array(rows.buffer).set(footer.subarray(HEAD_BYTES, namespacesStart));
  const namespaces: string[] = JSON.parse(footer.toString('utf8', namespacesStart, body));
  const contents = new Contents(rows, count, namespaces);
  contents.dataEnd = footer.readUInt32LE(HEAD.dataEnd);
  return contents;
}

function writeTrailer(
  trailer: Buffer,
  contents: Contents,
  footerBytes: number,
  footerSum: number,
  salt: number,
): void {
  const present: number[] = [];
  let missing = 0;
  for (let index = 0; index < contents.count; index += 1) {
    if (contents.isMissing(index)) missing += 1;
    else if (present.length === 0) present.push(contents.storedAtOf(index));
  }
  FOOTER_MAGIC.copy(trailer);
  trailer.writeUInt32LE(footerBytes, TRAILER.footerBytes);
  trailer.writeUInt32LE(contents.count, TRAILER.count);
  trailer.writeUInt32LE(missing, TRAILER.missing);
  trailer.writeDoubleLE(contents.points, TRAILER.points);
  trailer.writeUInt32LE((present[0] ?? 0) / 1000, TRAILER.firstSeconds);
  trailer.writeUInt32LE(footerSum, TRAILER.footerSum);
  trailer.writeUInt32LE(crc32(trailer.subarray(0, TRAILER.trailerSum), salt), TRAILER.trailerSum);
  FOOTER_MAGIC.copy(trailer, TRAILER.magic);
}
