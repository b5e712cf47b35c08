import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { codeOf } from '../../shared/coded-error.js';

/** A login, or an attempt at one. */
export interface LoginRecord {
  readonly user: string;
  /** Where it came from; empty for one at the machine itself. */
  readonly remote: string;
  readonly device: string;
  /** Unix time. */
  readonly seconds: number;
}

/** Up to where a file was read. */
export interface FilePosition {
  readonly inode: number;
  readonly offset: number;
}

/** What was read of a file of login records. */
export interface LoginsRead {
  readonly records: readonly LoginRecord[];
  /** Undefined when there is no file. */
  readonly position: FilePosition | undefined;
}

/**
 * How glibc lays out `struct utmp`: on most 64-bit machines with times of 32 bits, as 32-bit programs have them; on
 * those without such programs (arm64, …) with times of 64 bits.
 */
const LAYOUT =
  process.arch === 'arm64' || process.arch === 'riscv64' || process.arch === 'loong64'
    ? { bytes: 400, seconds: 344 }
    : { bytes: 384, seconds: 340 };

const LINE = { start: 8, end: 40 };
const USER = { start: 44, end: 76 };
const HOST = { start: 76, end: 332 };

/** Types of records: failed logins are noted as the one or the other, and a session's end as DEAD_PROCESS. */
const LOGIN_PROCESS = 6;
const USER_PROCESS = 7;

/** Records of one round; attackers fill /var/log/btmp with any number of them. */
export const RECORDS_MAX = 1000;

/**
 * The logins that were added to a file of records since a position, at most the last `RECORDS_MAX` records; a piece of
 * a record at the end is left for the next time. Without a position, or for another file, the end of the file.
 * @param kinds `sessions`: records of sessions only, as in wtmp; `attempts`: those of attempts, too, as in btmp
 * @throws what the system says when it cannot be read, but for a file that is not there
 */
export function readLogins(
  path: string,
  kinds: 'sessions' | 'attempts',
  previous: FilePosition | undefined,
): LoginsRead {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { records: [], position: undefined };
    throw error;
  }
  try {
    const { ino: inode, size } = fstatSync(file);
    const offset = size - (size % LAYOUT.bytes);
    const isSame = previous !== undefined && previous.inode === inode && previous.offset <= offset;
    const start = Math.max(isSame ? previous.offset : 0, offset - RECORDS_MAX * LAYOUT.bytes);
    const bytes = Buffer.alloc(offset - start);
    const read = readSync(file, bytes, 0, bytes.length, start);
    return { records: recordsIn(bytes.subarray(0, read), kinds), position: { inode, offset } };
  } finally {
    closeSync(file);
  }
}

function recordsIn(bytes: Buffer, kinds: 'sessions' | 'attempts'): readonly LoginRecord[] {
  const records: LoginRecord[] = [];
  for (let start = 0; start + LAYOUT.bytes <= bytes.length; start += LAYOUT.bytes) {
    const record = bytes.subarray(start, start + LAYOUT.bytes);
    const type = record.readInt16LE(0);
    if (type !== USER_PROCESS && !(kinds === 'attempts' && type === LOGIN_PROCESS)) continue;
    records.push({
      user: textIn(record, USER),
      remote: textIn(record, HOST),
      device: textIn(record, LINE),
      seconds: record.readUInt32LE(LAYOUT.seconds),
    });
  }
  return records;
}

/** Ends at the first zero, or fills its place. Names of failed logins are whatever somebody typed. */
function textIn(record: Buffer, { start, end }: { readonly start: number; readonly end: number }): string {
  const zero = record.indexOf(0, start);
  return record.toString('utf8', start, zero < 0 || zero > end ? end : zero);
}
