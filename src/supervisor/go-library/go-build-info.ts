import type { ElfFile, ElfSection } from './elf-file.js';

/** What the Go linker notes in what it makes. */
export interface GoBuildInfo {
  /** `go1.26.8` */
  readonly version: string;
  /** Path and version of the main module; undefined when it was built without modules. */
  readonly main: GoModule | undefined;
  /** Modules that it was built with; those that were replaced, by what replaced them. */
  readonly modules: readonly GoModule[];
  /** Settings of the build, like `-buildmode` and `GOARCH`. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A module and its version. */
export interface GoModule {
  readonly path: string;
  readonly version: string;
}

const SECTION = '.go.buildinfo';
const MAGIC = Buffer.from('\xff Go buildinf:', 'latin1');
const HEADER_BYTES = 32;

/** Set in the flags since Go 1.18: both texts follow the header, each behind its length. */
const INLINE_FLAG = 2;

/**
 * Reads what Go noted in a file, in the form of Go 1.18 and later or in the one before; undefined when it was not built
 * by Go, or does not say.
 * @throws ElfError
 */
export function goBuildInfo(file: ElfFile): GoBuildInfo | undefined {
  const section = file.sections.find(({ name }) => name === SECTION);
  if (section === undefined) return undefined;
  const bytes = file.contentOf(section);
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const texts =
    ((bytes[15] ?? 0) & INLINE_FLAG) === 0 ? pointedTexts(file, section, bytes) : inlineTexts(bytes);
  if (texts.version === '') return undefined;
  return { version: texts.version, ...moduleFacts(texts.modules) };
}

interface Texts {
  readonly version: string;
  readonly modules: string;
}

function inlineTexts(bytes: Buffer): Texts {
  const version = lengthAndText(bytes, HEADER_BYTES);
  const modules = lengthAndText(bytes, version.end);
  return { version: version.text.toString('utf8'), modules: withoutMarks(modules.text) };
}

function lengthAndText(bytes: Buffer, start: number): { text: Buffer; end: number } {
  let length = 0;
  let at = start;
  for (let shift = 0; at < bytes.length && shift <= 28; shift += 7) {
    const byte = bytes[at++] ?? 0;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  const end = Math.min(bytes.length, at + length);
  return { text: bytes.subarray(at, end), end };
}

/** The module text stands between two marks of 16 bytes. */
function withoutMarks(text: Buffer): string {
  const mark = 16;
  if (text.length < 2 * mark + 1 || text[text.length - mark - 1] !== 0x0a) return '';
  return text.toString('utf8', mark, text.length - mark);
}

/** Two pointers to Go strings, each an address and a length. */
function pointedTexts(file: ElfFile, section: ElfSection, bytes: Buffer): Texts {
  const pointer = (offset: number) => {
    const value = file.u64(bytes, offset);
    return value === 0n ? relocated(file, section.address + BigInt(offset)) : value;
  };
  return {
    version: goString(file, pointer(16)).toString('utf8'),
    modules: withoutMarks(goString(file, pointer(24))),
  };
}

const STRING_BYTES_MAX = 1024n * 1024n;

function goString(file: ElfFile, address: bigint): Buffer {
  const header = bytesAt(file, address, 16n);
  if (header === undefined) return Buffer.alloc(0);
  const written = file.u64(header, 0);
  const length = file.u64(header, 8);
  const start = written === 0n ? relocated(file, address) : written;
  if (length > STRING_BYTES_MAX) return Buffer.alloc(0);
  return bytesAt(file, start, length) ?? Buffer.alloc(0);
}

function bytesAt(file: ElfFile, address: bigint, length: bigint): Buffer | undefined {
  if (address === 0n) return undefined;
  const section = file.sections.find(
    (candidate) =>
      candidate.address !== 0n &&
      candidate.address <= address &&
      address + length <= candidate.address + candidate.size,
  );
  return section === undefined ? undefined : file.read(section.offset + address - section.address, length);
}

const RELA_TYPE = 4;
const RELA_BYTES = 24;

/** What the loader will write at an address: in a shared object the pointer itself is often 0 in the file. */
function relocated(file: ElfFile, address: bigint): bigint {
  for (const section of file.sections.filter(({ type }) => type === RELA_TYPE)) {
    const table = file.contentOf(section);
    for (let at = 0; at + RELA_BYTES <= table.length; at += RELA_BYTES) {
      if (file.u64(table, at) === address) return file.u64(table, at + 16);
    }
  }
  return 0n;
}

function moduleFacts(text: string): Omit<GoBuildInfo, 'version'> {
  let main: GoModule | undefined;
  const modules: GoModule[] = [];
  const settings: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const [kind, first = '', second = ''] = line.split('\t');
    if (kind === 'mod') main = { path: first, version: second };
    if (kind === 'dep') modules.push({ path: first, version: second });
    // Stands behind the module that it replaces.
    if (kind === '=>' && modules.length > 0) modules[modules.length - 1] = { path: first, version: second };
    const middle = first.indexOf('=');
    if (kind === 'build' && middle > 0) settings[first.slice(0, middle)] = first.slice(middle + 1);
  }
  return { main, modules, settings };
}
