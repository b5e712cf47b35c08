import { basename } from 'node:path';
import { isBuiltInOutput } from '../config/fluent-bit/built-in-outputs.js';
import { nearestName } from '../config/nearest-name.js';
import type { RegisteredLibraries } from './registered-libraries.js';

/** Which library an output gets. */
export type PluginChoice =
  | { readonly kind: 'library'; readonly library: string; readonly pluginName: string }
  /** The library that it would have, as far as that can be told, cannot be used. */
  | {
      readonly kind: 'broken';
      readonly library: string;
      readonly pluginName: string;
      readonly problem: string;
    }
  /** There is no such plugin: a mistake in the configuration. */
  | { readonly kind: 'unknown'; readonly sentence: string };

/** Finds the library that registers a name. */
export function choosePlugin(
  name: string,
  among: readonly string[],
  libraries: RegisteredLibraries,
): PluginChoice {
  const library = libraries.libraryOf(name, among);
  if (library !== undefined) {
    return { kind: 'library', library, pluginName: libraries.registrationOf(library)?.name ?? name };
  }
  const isBuiltIn = isBuiltInOutput(name);
  const failures = libraries.failures.filter(({ path }) => among.includes(path));
  const [first] = failures;
  const isLikelyBroken = failures.some(({ path }) => looksLike(path, name));
  if (first === undefined || (isBuiltIn && !isLikelyBroken)) {
    return { kind: 'unknown', sentence: unknownSentence(name, isBuiltIn, libraries.namesOf(among)) };
  }
  const likely = failures.find(({ path }) => looksLike(path, name)) ?? first;
  const others = failures.length > 1 ? ' (nor can others)' : '';
  return {
    kind: 'broken',
    library: likely.path,
    pluginName: name,
    problem: `no library registers "${name}", and ${likely.path} cannot be used${others}: ${likely.sentence}`,
  };
}

/** Takes the library that an output names itself. `name` is empty for whatever it registers. */
export function chooseFrom(library: string, name: string, libraries: RegisteredLibraries): PluginChoice {
  const registration = libraries.registrationOf(library);
  if (registration === undefined) {
    const failure = libraries.failures.find(({ path }) => path === library);
    const problem = `${library} cannot be used: ${failure?.sentence ?? 'it was not asked'}`;
    return { kind: 'broken', library, pluginName: name, problem };
  }
  if (name !== '' && registration.name.toLowerCase() !== name.toLowerCase()) {
    return {
      kind: 'unknown',
      sentence: `${library} registers "${registration.name}", not "${name}": use that name`,
    };
  }
  return { kind: 'library', library, pluginName: registration.name };
}

function unknownSentence(name: string, isBuiltIn: boolean, names: readonly string[]): string {
  const near = isBuiltIn ? undefined : nearestName(name, names);
  const there =
    names.length === 0
      ? 'no library is named: name some with [SERVICE] Plugins_File'
      : `the libraries register ${names.map((known) => `"${known}"`).join(', ')}`;
  if (isBuiltIn) {
    return `"${name}" is built into Fluent Bit itself; here are only the outputs of Golang libraries: ${there}`;
  }
  return `no library registers "${name}": ${near === undefined ? there : `did you mean "${near}"?`}`;
}

function looksLike(path: string, name: string): boolean {
  return basename(path).toLowerCase().includes(name.toLowerCase());
}
