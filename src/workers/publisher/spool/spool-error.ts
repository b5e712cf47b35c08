import { CodedError, codeOf, reasonOf } from '../../../shared/coded-error.js';

/** What the system says when there is no room: the disk, the user's quota, the process's limit for a file. */
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** True when something failed for lack of room. */
export function isNoRoom(cause: unknown): boolean {
  return NO_ROOM.has(codeOf(cause) ?? '');
}

/** `spool-full` or `spool-unwritable`: records could not be stored, and none of them will be read later. */
export function storeError(folder: string, cause: unknown): CodedError {
  if (cause instanceof CodedError) return cause;
  if (isNoRoom(cause)) {
    return new CodedError(
      'spool-full',
      `no room for the spool in ${folder}: ${reasonOf(cause)}; it goes on by itself when there is room again`,
      { cause },
    );
  }
  return new CodedError(
    'spool-unwritable',
    `the spool in ${folder} cannot be written: ${reasonOf(cause)}; it goes on by itself when that is mended`,
    { cause },
  );
}

/** `spool-folder`: the folder cannot be used at all. */
export function folderError(folder: string, what: string, cause?: unknown): CodedError {
  return new CodedError(
    'spool-folder',
    `the spool's folder ${folder} ${what}; give it a folder that belongs to the agent's user alone`,
    { cause },
  );
}

/** `spool-read`: reading failed for a reason that may pass. */
export function readError(file: string, cause: unknown): CodedError {
  return new CodedError('spool-read', `cannot read the spool's file ${file}: ${reasonOf(cause)}`, { cause });
}

/** `spool-closed`: the spool was closed before. */
export function closedError(folder: string): CodedError {
  return new CodedError('spool-closed', `the spool in ${folder} is closed`);
}

/** `spool-too-large`: more at once than the spool takes; smaller portions may fit. */
export function tooLargeError(folder: string, bytes: number, most: number): CodedError {
  return new CodedError(
    'spool-too-large',
    `${bytes} bytes at once are too much for the spool in ${folder}, which takes ${most}; append less at a time`,
  );
}

/** `spool-busy`: the disk is slower than what comes; what waits in memory is bounded. */
export function busyError(folder: string, waiting: number): CodedError {
  return new CodedError(
    'spool-busy',
    `${waiting} bytes wait for the disk of the spool in ${folder} already; append again when earlier ones are stored`,
  );
}
