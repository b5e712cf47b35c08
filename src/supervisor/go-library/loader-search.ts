import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type DynamicFacts, dynamicFacts } from './dynamic-section.js';
import { ElfError, ElfFile, type ElfHeader } from './elf-file.js';

/** A library that a shared object needs, itself or by way of others. */
export interface NeededLibrary {
  readonly name: string;
  /** Where it is; undefined when the loader would not find it. */
  readonly path: string | undefined;
  /** The library that asks for it. */
  readonly neededBy: string;
}

/** A library has more of them only when something is very wrong. */
const LIBRARIES_MAX = 500;

/**
 * Looks for all libraries that a shared object needs, in the places where the system's loader looks, and for what
 * these need in turn. Loads nothing.
 */
export function neededLibraries(path: string, environment: NodeJS.ProcessEnv): readonly NeededLibrary[] {
  const search = new LoaderSearch(environment);
  const found = new Map<string, NeededLibrary>();
  const waiting = [resolve(path)];
  for (let file = waiting.shift(); file !== undefined && found.size < LIBRARIES_MAX; file = waiting.shift()) {
    const asker = readFacts(file);
    for (const name of asker?.facts.needed ?? []) {
      if (found.has(name) || asker === undefined) continue;
      const place = search.find(name, { ...asker, folder: dirname(file) });
      found.set(name, { name, path: place, neededBy: file });
      if (place !== undefined) waiting.push(place);
    }
  }
  return [...found.values()];
}

/** Who asks for a library. */
interface Asker {
  readonly header: ElfHeader;
  readonly facts: DynamicFacts;
  /** What `$ORIGIN` stands for. */
  readonly folder: string;
}

const STANDARD_FOLDERS = ['/lib', '/usr/lib', '/lib64', '/usr/lib64', '/usr/local/lib'];

/** Folders of Debian and its kin, by the machine. */
const MULTIARCH: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  riscv64: 'riscv64-linux-gnu',
  s390x: 's390x-linux-gnu',
  ppc64: 'powerpc64le-linux-gnu',
};

class LoaderSearch {
  readonly #pathFolders: readonly string[];
  #cache: ReadonlyMap<string, readonly string[]> | undefined;

  constructor(environment: NodeJS.ProcessEnv) {
    this.#pathFolders = (environment.LD_LIBRARY_PATH ?? '').split(/[:;]/).filter((folder) => folder !== '');
  }

  find(name: string, asker: Asker): string | undefined {
    const candidates = name.includes('/') ? [expand(name, asker.folder)] : this.#candidates(name, asker);
    return candidates.find((path) => isFor(path, asker.header));
  }

  #candidates(name: string, { facts, folder }: Asker): readonly string[] {
    // The older form goes before the variable, and counts only where there is none of the newer.
    const before = facts.runpath.length > 0 ? [] : facts.rpath;
    const folders = [...before, ...this.#pathFolders, ...facts.runpath].map((path) => expand(path, folder));
    this.#cache ??= loaderCache();
    return [
      ...folders.map((path) => join(path, name)),
      ...(this.#cache.get(name) ?? []),
      ...standardFolders().map((path) => join(path, name)),
    ];
  }
}

function standardFolders(): readonly string[] {
  const multiarch = MULTIARCH[process.arch];
  return multiarch === undefined
    ? STANDARD_FOLDERS
    : [`/lib/${multiarch}`, `/usr/lib/${multiarch}`, ...STANDARD_FOLDERS];
}

function expand(path: string, origin: string): string {
  return path.replace(/\$(?:ORIGIN|\{ORIGIN\})/g, origin);
}

function isFor(path: string, { machine, is64Bit }: ElfHeader): boolean {
  if (!existsSync(path)) return false;
  try {
    const file = ElfFile.open(path);
    file.close();
    return file.header.machine === machine && file.header.is64Bit === is64Bit;
  } catch {
    // A linker script that has a library's name, or a file that may not be read: the loader goes on, too.
    return false;
  }
}

function readFacts(path: string): Pick<Asker, 'header' | 'facts'> | undefined {
  try {
    const file = ElfFile.open(path);
    try {
      return { header: file.header, facts: dynamicFacts(file) };
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof ElfError || error instanceof Error) return undefined;
    throw error;
  }
}

const LDCONFIG = ['/sbin/ldconfig', '/usr/sbin/ldconfig'];
const LDCONFIG_TIME_OUT_MS = 5000;

/** What the loader's cache knows; nothing where the system has no such cache. */
function loaderCache(): ReadonlyMap<string, readonly string[]> {
  const paths = new Map<string, string[]>();
  const program = LDCONFIG.find((path) => existsSync(path));
  if (program === undefined) return paths;
  for (const line of cacheLines(program)) {
    const [, name, path] = /^\s+(\S+) \(.*\) => (\/.*)$/.exec(line) ?? [];
    if (name !== undefined && path !== undefined) paths.set(name, [...(paths.get(name) ?? []), path]);
  }
  return paths;
}

function cacheLines(program: string): readonly string[] {
  try {
    const options = { encoding: 'utf8', timeout: LDCONFIG_TIME_OUT_MS, maxBuffer: 16_777_216 } as const;
    return execFileSync(program, ['-p'], { ...options, stdio: ['ignore', 'pipe', 'ignore'] }).split('\n');
  } catch {
    // musl has a program of this name that knows no cache: the standard folders are looked through anyway.
    return [];
  }
}
