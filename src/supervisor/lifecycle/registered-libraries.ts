import pLimit from 'p-limit';
import type { LibraryRegistration } from '../../shared/library-registration.js';
import type { RegistrationOutcome } from '../go-library/registration.js';

/** Has a library register in a throw-away process. */
export type AskRegistration = (path: string) => Promise<RegistrationOutcome>;

/** A library that was asked. */
export interface AskedLibrary {
  /** Absolute. */
  readonly path: string;
  readonly outcome: RegistrationOutcome;
}

/** Each takes a process, and a moment of a core. */
const ASKED_AT_ONCE = 4;

/** Asks each library what it registers; those of the same path once. */
export async function askLibraries(
  paths: readonly string[],
  ask: AskRegistration,
): Promise<RegisteredLibraries> {
  const limit = pLimit(ASKED_AT_ONCE);
  const asked = [...new Set(paths)].map((path) => limit(async () => ({ path, outcome: await ask(path) })));
  return new RegisteredLibraries(await Promise.all(asked));
}

/** Libraries, and the names that they register. */
export class RegisteredLibraries {
  readonly #libraries: readonly AskedLibrary[];

  constructor(libraries: readonly AskedLibrary[]) {
    this.#libraries = libraries;
  }

  /** Why libraries cannot be used: path and sentence. */
  get failures(): readonly { readonly path: string; readonly sentence: string }[] {
    return this.#libraries.flatMap(({ path, outcome }) =>
      outcome.kind === 'failed' ? [{ path, sentence: outcome.sentence }] : [],
    );
  }

  /** What the library of a path registers; undefined when it does not, or was not asked. */
  registrationOf(path: string): LibraryRegistration | undefined {
    const outcome = this.#libraries.find((library) => library.path === path)?.outcome;
    return outcome?.kind === 'registered' ? outcome : undefined;
  }

  /** The first of these libraries that registers a name, whatever its case. */
  libraryOf(name: string, among: readonly string[]): string | undefined {
    const wanted = name.toLowerCase();
    return among.find((path) => this.registrationOf(path)?.name.toLowerCase() === wanted);
  }

  /** The names that these libraries register. */
  namesOf(among: readonly string[]): readonly string[] {
    return among.flatMap((path) => this.registrationOf(path)?.name ?? []);
  }
}
