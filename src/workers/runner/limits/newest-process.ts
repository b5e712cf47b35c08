import { openSync, readSync } from 'node:fs';
import { cLibrary } from '../../../shared/native/c-library.js';

const FILE = '/proc/loadavg';
const TEXT = Buffer.allocUnsafeSlow(128);

let descriptor: number | undefined;

/**
 * The pid of the newest process or thread in this machine or container, as far as the kernel tells (proc(5)): as long as
 * it is that of a process, that one has started no other. The file stays open, as it is read for every run.
 */
export function newestPid(): number | undefined {
  try {
    descriptor ??= openFile();
    const bytes = readSync(descriptor, TEXT, 0, TEXT.length, 0);
    const pid = Number(TEXT.toString('latin1', TEXT.lastIndexOf(' ', bytes - 1) + 1, bytes));
    return Number.isInteger(pid) ? pid : undefined;
  } catch {
    // Without /proc nothing can be known of other processes either.
    return undefined;
  }
}

function openFile(): number {
  const opened = openSync(FILE, 'r');
  // Closed with the thread.
  cLibrary().library?.ledger?.opened(opened);
  return opened;
}
