/** Opening, reading and writing the files of a spool: never through a symbolic link, always to the end. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Only the agent's user may read what is in the spool. */
const FILE_MODE = 0o600;

/** Segments are told apart by the id of their first record; the salt makes a name that never comes again. */
export interface SegmentName {
  readonly firstId: number;
  /** Random, 32 bits: what the check sums of its headers start from. */
  readonly salt: number;
}

const SEGMENT_SUFFIX = '.segment';
const JOURNAL_SUFFIX = '.acknowledged';
const SEGMENT_NAME = /^(\d{16})-([0-9a-f]{8})\.segment$/;

/** Files take whole blocks of the disk. */
export const BLOCK_BYTES = 4096;

/** What a file of `bytes` takes of the disk. */
export function wholeBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

export function segmentFile(name: SegmentName): string {
  return `${stem(name)}${SEGMENT_SUFFIX}`;
}

export function journalFile(name: SegmentName): string {
  return `${stem(name)}${JOURNAL_SUFFIX}`;
}

/** Undefined when a file of that name is no segment. */
export function parseSegmentFile(file: string): SegmentName | undefined {
  const match = SEGMENT_NAME.exec(file);
  if (!match) return undefined;
  return { firstId: Number(match[1]), salt: Number.parseInt(match[2] ?? '', 16) };
}

/** True for a file of acknowledgements, whatever its segment. */
export function isJournalFile(file: string): boolean {
  return file.endsWith(JOURNAL_SUFFIX);
}

export function openForReading(path: string): Promise<FileHandle> {
  return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

export function openForWriting(path: string): Promise<FileHandle> {
  return open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
}

/** Makes the file where it is missing. */
export function openOrCreate(path: string): Promise<FileHandle> {
  return open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, FILE_MODE);
}

/** Fails with EEXIST when there is anything of that name. */
export function createNew(path: string): Promise<FileHandle> {
  return open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, FILE_MODE);
}

/** Reads `length` bytes at `position`; fewer only where the file ends. */
export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/** Writes all of `parts` one behind the other at `position`. */
export async function writeAt(file: FileHandle, position: number, parts: readonly Buffer[]): Promise<void> {
  let rest = parts.filter((part) => part.length > 0);
  let at = position;
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest, at);
    if (bytesWritten === 0) throw new Error('the system wrote nothing and named no reason');
    at += bytesWritten;
    rest = withoutFirst(rest, bytesWritten);
  }
}

/** What is left of `parts` when their first `bytes` are gone. */
function withoutFirst(parts: readonly Buffer[], bytes: number): Buffer[] {
  let toSkip = bytes;
  for (const [number, part] of parts.entries()) {
    if (toSkip < part.length) return [part.subarray(toSkip), ...parts.slice(number + 1)];
    toSkip -= part.length;
  }
  return [];
}

function stem(name: SegmentName): string {
  return `${String(name.firstId).padStart(16, '0')}-${name.salt.toString(16).padStart(8, '0')}`;
}
