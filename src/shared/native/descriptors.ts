import { readdirSync } from 'node:fs';
import { FILE_CONTROL, FILE_FLAG } from './abi.js';
import { type CLibrary, callError } from './c-library.js';

/** A pipe; no program that is started inherits its ends by itself. */
export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/** `FD_CLOEXEC`. */
const CLOSE_ON_EXEC = 1;

const ends = new Int32Array(2);

/**
 * Opens a pipe whose read end never blocks.
 * @throws CodedError `EMFILE` or `ENFILE` when there are no descriptors left
 */
export function openPipe(library: CLibrary): Pipe {
  const { functions, errorName, ledger } = library;
  if (functions.pipe2(ends, FILE_FLAG.closeOnExec) < 0) throw callError('pipe2', errorName());
  const [readEnd = -1, writeEnd = -1] = ends;
  ledger?.opened(readEnd);
  ledger?.opened(writeEnd);
  // Of the read end alone: a program that finds its stdout non-blocking may lose what it prints.
  if (functions.fcntl(readEnd, FILE_CONTROL.setStatusFlags, FILE_FLAG.nonBlocking) < 0) {
    const code = errorName();
    closeDescriptor(library, readEnd);
    closeDescriptor(library, writeEnd);
    throw callError('fcntl', code);
  }
  return { readEnd, writeEnd };
}

/** Closes a descriptor that was opened here, once. */
export function closeDescriptor({ functions, ledger }: CLibrary, descriptor: number): void {
  ledger?.closing(descriptor);
  functions.close(descriptor);
}

/**
 * Reads what is there, at most as much as fits; never waits.
 * @returns bytes read; 0 at the end, or where reading fails; undefined when there is nothing now
 */
export function readNow(
  { functions, errorName }: CLibrary,
  descriptor: number,
  into: Uint8Array,
): number | undefined {
  const bytes = functions.read(descriptor, into, into.length);
  if (bytes >= 0) return bytes;
  const code = errorName();
  return code === 'EAGAIN' || code === 'EINTR' ? undefined : 0;
}

/**
 * Keeps the descriptors that this process got from whoever started it away from the programs that it starts. What
 * Node.js opens itself is kept from them anyway.
 */
export function keepDescriptors({ functions }: CLibrary): void {
  for (const entry of readdirSync('/proc/self/fd')) {
    const descriptor = Number(entry);
    // One may be closed by now, as that of the folder: nothing is lost with it.
    if (descriptor > 2) functions.fcntl(descriptor, FILE_CONTROL.setDescriptorFlags, CLOSE_ON_EXEC);
  }
}
