import { closeSync, openSync, readSync } from 'node:fs';

/** Offsets and values in the header of an ELF file. */
const MAGIC = '\x7fELF';
const CLASS_OFFSET = 4;
const CLASS_64 = 2;
const TYPE_OFFSET = 16;
const TYPE_SHARED = 3;
const MACHINE_OFFSET = 18;
const HEADER_BYTES = 20;

const MACHINES: Readonly<Record<number, string>> = {
  3: 'x86',
  40: 'arm',
  62: 'x86-64',
  183: 'arm64',
  243: 'riscv',
};
const OWN_MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183, riscv64: 243 };

/**
 * What keeps a file from being a shared object for this machine, in a sentence; undefined when nothing does. The loader
 * itself calls a file for another machine one that does not exist.
 * @throws Error when it cannot be read
 */
export function elfProblem(path: string): string | undefined {
  const header = readHeader(path);
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    return 'it is no ELF file, so no shared object';
  }
  if (header[CLASS_OFFSET] !== CLASS_64) return 'it is not for 64 bits';
  const machine = header.readUInt16LE(MACHINE_OFFSET);
  const own = OWN_MACHINES[process.arch];
  if (own !== undefined && machine !== own) {
    return `it is for another machine: ${MACHINES[machine] ?? `number ${machine}`}, and this is ${MACHINES[own]}`;
  }
  const type = header.readUInt16LE(TYPE_OFFSET);
  return type === TYPE_SHARED
    ? undefined
    : 'it is an ELF file, but no shared object: build it with -buildmode=c-shared';
}

function readHeader(path: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  const file = openSync(path, 'r');
  try {
    return header.subarray(0, readSync(file, header, 0, HEADER_BYTES, 0));
  } finally {
    closeSync(file);
  }
}
