import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import { exportedSymbols } from './dynamic-section.js';
import { ElfError, ElfFile } from './elf-file.js';
import { foreignness, machineName, typeName } from './elf-names.js';
import { type GoBuildInfo, goBuildInfo } from './go-build-info.js';
import { type NeededLibrary, neededLibraries } from './loader-search.js';
import { checkSymbols, type SymbolCheck } from './plugin-symbols.js';
import { askRegistration, type RegistrationOutcome } from './registration.js';

/** All that was found out about a library. What could not be looked at, after an earlier problem, is undefined. */
export interface LibraryCheck {
  /** Absolute. */
  readonly file: string;
  /** What it is, like "a shared object for x86-64"; undefined for what is no ELF file. */
  readonly kind: string | undefined;
  readonly needed: readonly NeededLibrary[] | undefined;
  readonly symbols: SymbolCheck | undefined;
  /** Undefined, too, for what Go has not built. */
  readonly build: GoBuildInfo | undefined;
  readonly registration: RegistrationOutcome | undefined;
  /** Sentences that name what is wrong and the way out; none: it can be used. */
  readonly problems: readonly LibraryProblem[];
}

/** What a check can find wrong. */
export interface LibraryProblem {
  readonly check: 'file' | 'build' | 'libraries' | 'symbols' | 'registration';
  /** Goes on behind the file's name. */
  readonly sentence: string;
}

/**
 * Looks at a Golang output plugin's library as a careful operator does, and, where nothing speaks against it so far,
 * has it register in a throw-away process. Never throws for what the file is like.
 */
export async function checkLibrary(path: string, environment: NodeJS.ProcessEnv): Promise<LibraryCheck> {
  const file = resolve(path);
  const still = lookAt(file, environment);
  // Whether libraries are there is for the system's loader to say: what it finds in ways of its own is no problem.
  if (still.problems.some(({ check }) => check !== 'libraries')) return { ...still, registration: undefined };
  const registration = await askRegistration(file);
  if (registration.kind === 'registered') {
    return { ...still, registration, problems: eventTypeProblems(registration.eventType) };
  }
  if (still.problems.length > 0) return { ...still, registration: undefined };
  const sentence = `does not register: ${registration.sentence}`;
  return { ...still, registration, problems: [{ check: 'registration', sentence }] };
}

/** The short form: what a library registers, or all that is wrong with it in one sentence. */
export async function registrationOf(
  path: string,
  environment: NodeJS.ProcessEnv,
): Promise<RegistrationOutcome> {
  const { registration, problems } = await checkLibrary(path, environment);
  if (registration?.kind === 'registered' && problems.length === 0) return registration;
  return { kind: 'failed', sentence: problems.map(({ sentence }) => `it ${sentence}`).join('; ') };
}

const NOTHING_YET = { kind: undefined, needed: undefined, symbols: undefined, build: undefined };

/** What can be said without running any of its code. */
function lookAt(file: string, environment: NodeJS.ProcessEnv): Omit<LibraryCheck, 'registration'> {
  const refused = (sentence: string) => ({
    ...NOTHING_YET,
    file,
    problems: [{ check: 'file', sentence } as const],
  });
  const problem = fileProblem(file);
  if (problem !== undefined) return refused(problem);
  try {
    const elf = ElfFile.open(file);
    try {
      return lookInto(elf, file, environment);
    } finally {
      elf.close();
    }
  } catch (error) {
    if (error instanceof ElfError) return refused(error.message);
    return refused(`cannot be read: ${reasonOf(error)}`);
  }
}

function fileProblem(file: string): string | undefined {
  try {
    const stats = statSync(realpathSync(file));
    if (stats.isDirectory()) return 'is a folder: name the file of the library in it';
    return stats.isFile() ? undefined : 'is no regular file';
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return 'is not there: check its path';
    return `cannot be read: ${reasonOf(error)}`;
  }
}

function lookInto(
  elf: ElfFile,
  file: string,
  environment: NodeJS.ProcessEnv,
): Omit<LibraryCheck, 'registration'> {
  const kind = `${typeName(elf.header)} for ${machineName(elf.header)}`;
  const foreign = foreignness(elf.header);
  if (foreign !== undefined) {
    return { ...NOTHING_YET, file, kind, problems: [{ check: 'file', sentence: foreign }] };
  }
  const build = goBuildInfo(elf);
  const needed = neededLibraries(file, environment);
  const exported = exportedSymbols(elf);
  const symbols = exported === undefined ? undefined : checkSymbols(exported);
  return {
    file,
    kind,
    needed,
    symbols,
    build,
    problems: [...buildProblems(build), ...neededProblems(needed, file), ...symbolProblems(symbols)],
  };
}

/** A Go plugin in the sense of Go's own package `plugin`, or a program, looks much like a library. */
function buildProblems(build: GoBuildInfo | undefined): readonly LibraryProblem[] {
  const mode = build?.settings['-buildmode'];
  if (mode === undefined || mode === 'c-shared') return [];
  const sentence = `was built with -buildmode=${mode}: build it with  go build -buildmode=c-shared`;
  return [{ check: 'build', sentence }];
}

function neededProblems(needed: readonly NeededLibrary[], file: string): readonly LibraryProblem[] {
  return needed
    .filter(({ path }) => path === undefined)
    .map(({ name, neededBy }) => {
      const asker = neededBy === file ? '' : ` (by way of ${neededBy})`;
      const wayOut = 'install its package, or name its folder in LD_LIBRARY_PATH or /etc/ld.so.conf';
      return {
        check: 'libraries',
        sentence: `needs the library ${name}${asker}, which is not there: ${wayOut}`,
      };
    });
}

function symbolProblems(symbols: SymbolCheck | undefined): readonly LibraryProblem[] {
  if (symbols === undefined) {
    const sentence = 'has no table of what it exports: it was stripped too far; build it anew';
    return [{ check: 'symbols', sentence }];
  }
  return symbols.missing.map((name) => ({
    check: 'symbols',
    sentence: `does not export ${name}, which every output plugin needs: //export it in package main`,
  }));
}

/** What the agent delivers are events as those of logs. */
function eventTypeProblems(eventType: number): readonly LibraryProblem[] {
  if (eventType === 0 || eventType === 1) return [];
  const kinds: Readonly<Record<number, string>> = { 2: 'metrics', 4: 'traces' };
  const sentence = `wants ${kinds[eventType] ?? `events of type ${eventType}`}, which this agent does not deliver: it has events like those of logs`;
  return [{ check: 'registration', sentence }];
}
