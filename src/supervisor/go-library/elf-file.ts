import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** A section of an ELF file. */
export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly address: bigint;
  readonly offset: bigint;
  readonly size: bigint;
  /** Index of the section that holds its names. */
  readonly link: number;
}

/** The first bytes of an ELF file. */
export interface ElfHeader {
  readonly is64Bit: boolean;
  readonly isLittleEndian: boolean;
  /** 3 = shared object. */
  readonly type: number;
  /** 62 = x86-64, 183 = arm64, … */
  readonly machine: number;
}

/** The file is damaged, or no ELF file at all; the message goes on behind the file's name. */
export class ElfError extends Error {}

const MAGIC = Buffer.from('\x7fELF', 'latin1');

/** What is read of a file at once, at most: no table of a library that works is larger. */
const PART_BYTES_MAX = 128 * 1024 * 1024;

/** An open ELF file of 64 bit, from which parts are read as they are wanted. Offsets in it are not trusted. */
export class ElfFile {
  readonly header: ElfHeader;
  readonly size: number;
  readonly #descriptor: number;
  #sections: readonly ElfSection[] | undefined;

  private constructor(descriptor: number, header: ElfHeader, size: number) {
    this.#descriptor = descriptor;
    this.header = header;
    this.size = size;
  }

  /** @throws ElfError when it is no ELF file, and what `open` throws */
  static open(path: string): ElfFile {
    const descriptor = openSync(path, 'r');
    try {
      return new ElfFile(descriptor, readHeader(descriptor), fstatSync(descriptor).size);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** All sections. Only of files of 64 bit. @throws ElfError */
  get sections(): readonly ElfSection[] {
    this.#sections ??= this.#readSections();
    return this.#sections;
  }

  /** Bytes of the file. @throws ElfError when they are not there */
  read(offset: bigint, length: bigint): Buffer {
    if (length > BigInt(PART_BYTES_MAX) || offset + length > BigInt(this.size)) {
      throw new ElfError('is damaged: a part of it lies behind its end, it was not copied as a whole');
    }
    return readAt(this.#descriptor, Number(offset), Number(length));
  }

  contentOf({ offset, size, type }: ElfSection): Buffer {
    const noBits = 8;
    return type === noBits ? Buffer.alloc(0) : this.read(offset, size);
  }

  u16(bytes: Buffer, offset: number): number {
    return this.header.isLittleEndian ? bytes.readUInt16LE(offset) : bytes.readUInt16BE(offset);
  }

  u32(bytes: Buffer, offset: number): number {
    return this.header.isLittleEndian ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset);
  }

  u64(bytes: Buffer, offset: number): bigint {
    return this.header.isLittleEndian ? bytes.readBigUInt64LE(offset) : bytes.readBigUInt64BE(offset);
  }

  #readSections(): readonly ElfSection[] {
    const header = this.read(0n, 64n);
    const count = this.u16(header, 60);
    const namesIndex = this.u16(header, 62);
    const entrySize = 64;
    if (count === 0 || this.u16(header, 58) !== entrySize) return [];
    const table = this.read(this.u64(header, 40), BigInt(count * entrySize));
    const nameOffsets: number[] = [];
    const nameless = Array.from({ length: count }, (_, index): ElfSection => {
      const at = index * entrySize;
      nameOffsets.push(this.u32(table, at));
      return {
        name: '',
        type: this.u32(table, at + 4),
        address: this.u64(table, at + 16),
        offset: this.u64(table, at + 24),
        size: this.u64(table, at + 32),
        link: this.u32(table, at + 40),
      };
    });
    const namesSection = nameless[namesIndex];
    const names = namesSection === undefined ? Buffer.alloc(0) : this.contentOf(namesSection);
    return nameless.map((section, index) => ({ ...section, name: textIn(names, nameOffsets[index] ?? 0) }));
  }
}

/** The NUL-terminated text at an offset of a table of names; empty outside of it. */
export function textIn(names: Buffer, offset: number): string {
  if (offset >= names.length) return '';
  const end = names.indexOf(0, offset);
  return names.toString('latin1', offset, end === -1 ? names.length : end);
}

function readHeader(descriptor: number): ElfHeader {
  const bytes = readAt(descriptor, 0, 20, true);
  if (!bytes.subarray(0, 4).equals(MAGIC)) throw new ElfError(notElf(bytes));
  if (bytes.length < 20) throw new ElfError('is damaged: it ends within its first 20 bytes');
  const isLittleEndian = bytes[5] === 1;
  const u16 = (offset: number) => (isLittleEndian ? bytes.readUInt16LE(offset) : bytes.readUInt16BE(offset));
  return { is64Bit: bytes[4] === 2, isLittleEndian, type: u16(16), machine: u16(18) };
}

const OTHER_KINDS: readonly (readonly [string, string])[] = [
  ['!<arch>\n', 'a static archive (.a)'],
  ['#!', 'a script'],
  ['MZ', 'a Windows program or DLL'],
  ['\xcf\xfa\xed\xfe', 'a macOS library or program'],
  ['\xca\xfe\xba\xbe', 'a macOS library or program'],
  ['PK', 'a ZIP archive'],
  ['\x1f\x8b', 'compressed with gzip'],
];

function notElf(bytes: Buffer): string {
  if (bytes.length === 0) return 'is no shared object: it is empty';
  const start = bytes.toString('latin1');
  const kind = OTHER_KINDS.find(([magic]) => start.startsWith(magic))?.[1];
  return `is no shared object${kind === undefined ? ', nor any other ELF file' : `: it is ${kind}`}`;
}

function readAt(descriptor: number, position: number, length: number, canBeShort = false): Buffer {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const count = readSync(descriptor, bytes, done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  if (done < length && !canBeShort) throw new ElfError('is damaged: it ends too early');
  return bytes.subarray(0, done);
}
