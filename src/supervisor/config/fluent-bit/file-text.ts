import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { readProblem } from '../read-problem.js';

/** A file that was read, or why it was not. */
export type TextReading =
  | {
      readonly kind: 'text';
      readonly text: string;
      /** The same for all names of one file. */
      readonly identity: string;
    }
  | { readonly kind: 'problem'; readonly sentence: string };

const FILE_BYTES_MAX = 1_048_576;

/** Reads a text file of bounded size: UTF-8, a byte order mark left out. */
export function readFileText(path: string): TextReading {
  try {
    // Asked before it is opened: opening a named pipe would wait for a writer.
    const kind = statSync(path);
    if (kind.isDirectory()) return refuse('is a folder: name a file in it');
    if (!kind.isFile()) return refuse('is no regular file');
    const descriptor = openSync(path, 'r');
    try {
      const { size, dev, ino } = fstatSync(descriptor);
      if (size > FILE_BYTES_MAX)
        return refuse(`is larger than ${FILE_BYTES_MAX} bytes, that is no configuration`);
      return textOf(readFileSync(descriptor), `${dev}:${ino}`);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return refuse(readProblem(error));
  }
}

function textOf(bytes: Buffer, identity: string): TextReading {
  if (bytes.includes(0)) return refuse('holds a byte 0: it must be text');
  try {
    return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), identity };
  } catch {
    const line = firstBadLine(bytes);
    return refuse(`is not UTF-8 text${line === undefined ? '' : ` (line ${line})`}: convert it`);
  }
}

function firstBadLine(bytes: Buffer): number | undefined {
  const lines = bytes.toString('latin1').split('\n');
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (const [index, line] of lines.entries()) {
    try {
      decoder.decode(Buffer.from(line, 'latin1'));
    } catch {
      return index + 1;
    }
  }
  return undefined;
}

function refuse(sentence: string): TextReading {
  return { kind: 'problem', sentence };
}
