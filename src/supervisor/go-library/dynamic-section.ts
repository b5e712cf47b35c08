import { type ElfFile, type ElfSection, textIn } from './elf-file.js';

/** What the loader reads of a shared object. */
export interface DynamicFacts {
  /** Names of the libraries that it needs. */
  readonly needed: readonly string[];
  readonly soname: string | undefined;
  /** Folders in which they are looked for; `rpath` counts only where there is no `runpath`. */
  readonly rpath: readonly string[];
  readonly runpath: readonly string[];
}

const DYNAMIC_TYPE = 6;
const TAG = { end: 0n, needed: 1n, soname: 14n, rpath: 15n, runpath: 29n } as const;
const ENTRY_BYTES = 16;

/** Reads the section `.dynamic`; of a file without one, nothing. @throws ElfError */
export function dynamicFacts(file: ElfFile): DynamicFacts {
  const needed: string[] = [];
  const rpath: string[] = [];
  const runpath: string[] = [];
  let soname: string | undefined;
  const section = file.sections.find(({ type }) => type === DYNAMIC_TYPE);
  if (section === undefined) return { needed, soname, rpath, runpath };
  const names = linkedNames(file, section);
  const table = file.contentOf(section);
  for (let at = 0; at + ENTRY_BYTES <= table.length; at += ENTRY_BYTES) {
    const tag = file.u64(table, at);
    const text = () => textIn(names, Number(file.u64(table, at + 8)));
    if (tag === TAG.end) break;
    if (tag === TAG.needed) needed.push(text());
    if (tag === TAG.soname) soname = text();
    if (tag === TAG.rpath) rpath.push(...text().split(':'));
    if (tag === TAG.runpath) runpath.push(...text().split(':'));
  }
  return { needed, soname, rpath, runpath };
}

const DYNAMIC_SYMBOLS_TYPE = 11;
const SYMBOL_BYTES = 24;
const UNDEFINED_SECTION = 0;

/**
 * The names that a shared object exports; undefined when it has no table that tells, as after an overdone strip.
 * @throws ElfError
 */
export function exportedSymbols(file: ElfFile): ReadonlySet<string> | undefined {
  const section = file.sections.find(({ type }) => type === DYNAMIC_SYMBOLS_TYPE);
  if (section === undefined) return undefined;
  const names = linkedNames(file, section);
  const table = file.contentOf(section);
  const exported = new Set<string>();
  for (let at = 0; at + SYMBOL_BYTES <= table.length; at += SYMBOL_BYTES) {
    const binding = (table[at + 4] ?? 0) >> 4;
    const visibility = (table[at + 5] ?? 0) & 3;
    // Global or weak, defined here, and neither internal nor hidden.
    const isSeen = (binding === 1 || binding === 2) && (visibility === 0 || visibility === 3);
    if (isSeen && file.u16(table, at + 6) !== UNDEFINED_SECTION) {
      exported.add(textIn(names, file.u32(table, at)));
    }
  }
  return exported;
}

function linkedNames(file: ElfFile, section: ElfSection): Buffer {
  const names = file.sections[section.link];
  return names === undefined ? Buffer.alloc(0) : file.contentOf(names);
}
