import { closeSync, openSync, readdirSync, readSync } from 'node:fs';

/** Grows to the longest file that was read; a thread reads one file at a time. */
let buffer = Buffer.allocUnsafe(16 * 1024);

/** No file of the kernel that is read here is longer; sockets of a large host are. */
const BYTES_MAX = 64 * 1024 * 1024;

/**
 * The text of a file that the kernel makes while it is read; undefined where it is missing or cannot be read.
 * Such files do not block, and cost less in one go than through the thread pool.
 */
export function readKernelFile(path: string, encoding: 'latin1' | 'utf8' = 'latin1'): string | undefined {
  return withFile(path, (file) => {
    let length = 0;
    for (;;) {
      const read = readSync(file, buffer, length, buffer.length - length, null);
      if (read === 0) return buffer.toString(encoding, 0, length);
      length += read;
      if (length === buffer.length) grow();
    }
  });
}

/** Like readKernelFile, for files of less than 4 KiB, which come whole in one read. */
export function readShortKernelFile(path: string): string | undefined {
  return withFile(path, (file) => buffer.toString('latin1', 0, readSync(file, buffer, 0, 4096, 0)));
}

/** The whole number that is all of a file; undefined where there is none. */
export function readNumberFile(path: string): number | undefined {
  const text = readShortKernelFile(path)?.trim() ?? '';
  return /^-?[0-9]+$/.test(text) ? Number(text) : undefined;
}

/** Names in a folder of the kernel; none where it is missing or cannot be read. */
export function kernelFolder(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function grow(): void {
  if (buffer.length >= BYTES_MAX)
    throw new RangeError(`a file of the kernel is longer than ${BYTES_MAX} bytes`);
  buffer = Buffer.concat([buffer, Buffer.alloc(buffer.length)]);
}

/** Files of devices and processes vanish at any moment, also between opening and reading. */
function withFile<T>(path: string, use: (file: number) => T): T | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    return use(file);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    return undefined;
  } finally {
    closeSync(file);
  }
}
