import { closeSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { codeOf } from '../../shared/coded-error.js';

/** Why the kernel would not execute a file, with the exit value that shells give to such a command. */
export interface ProgramProblem {
  readonly value: 126 | 127;
  readonly problem: string;
}

/** As much of a file as the kernel looks at to find out how to execute it. */
const HEAD_BYTES = 256;
/** The kernel follows this many interpreters that are scripts themselves. */
const INTERPRETERS_MAX = 4;

/**
 * Looks whether a file is a program that the kernel can execute: a binary of this machine's kind, or a script whose
 * first line names an interpreter. Needed because the C library's exec hands anything else to a shell.
 * @param folder working folder of the process, from which relative interpreters are found
 * @returns undefined when nothing speaks against it; a file that may not be read is left to the kernel to judge
 */
export function programProblem(file: string, folder: string): ProgramProblem | undefined {
  let program = file;
  for (let depth = 0; depth <= INTERPRETERS_MAX; depth += 1) {
    const head = headOf(program);
    if (head === 'unreadable') return undefined;
    if (head === 'missing') return depth === 0 ? undefined : missingInterpreter(file, program);
    const interpreter = interpreterOf(head);
    if (interpreter === undefined) return isNativeBinary(head) ? undefined : notExecutable(program);
    program = resolve(folder, interpreter);
  }
  return { value: 126, problem: `${file} needs more than ${INTERPRETERS_MAX} interpreters in a row` };
}

function missingInterpreter(file: string, interpreter: string): ProgramProblem {
  const hint = interpreter.endsWith('\r') ? '; the file has Windows line ends' : '';
  return {
    value: 127,
    problem: `the interpreter ${JSON.stringify(interpreter)} that the first line of ${file} names does not exist${hint}`,
  };
}

function notExecutable(program: string): ProgramProblem {
  return {
    value: 126,
    problem: `${program} is neither a program for this machine nor a script whose first line is #! and an interpreter`,
  };
}

function headOf(file: string): Buffer | 'missing' | 'unreadable' {
  try {
    const descriptor = openSync(file, 'r');
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      return head.subarray(0, readSync(descriptor, head, 0, HEAD_BYTES, 0));
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'missing' : 'unreadable';
  }
}

/** The path behind `#!`; undefined when there is none. A path that does not end within the head is no path. */
function interpreterOf(head: Buffer): string | undefined {
  const line = /^#![ \t]*([^ \t\n\0]+)([ \t\n\0]|$)/.exec(head.toString('latin1'));
  if (line?.[1] === undefined) return undefined;
  const isCut = line[2] === '' && head.length === HEAD_BYTES;
  return isCut ? undefined : Buffer.from(line[1], 'latin1').toString('utf8');
}

/** Byte ranges of an ELF header that say for which machine it is: magic, class and byte order; machine; entry size. */
const ELF_KIND = [
  [0, 6],
  [18, 20],
  [54, 56],
] as const;
const ELF_TYPE_AT = 16;
const ELF_EXECUTABLE_TYPES = [2, 3];

let ownHead: Buffer | 'missing' | 'unreadable' | undefined;

function isNativeBinary(head: Buffer): boolean {
  ownHead ??= headOf('/proc/self/exe');
  if (typeof ownHead === 'string') return head.subarray(1, 4).toString('latin1') === 'ELF';
  const own = ownHead;
  if (head.length < 64) return false;
  return (
    ELF_EXECUTABLE_TYPES.includes(head[ELF_TYPE_AT] ?? 0) &&
    ELF_KIND.every(([start, end]) => head.subarray(start, end).equals(own.subarray(start, end)))
  );
}
