import { extname, resolve } from 'node:path';
import { quoted } from '../../../shared/quoted.js';
import { readClassic } from './classic-form.js';
import { readFileText } from './file-text.js';
import { besideFile, filesOf, isPattern } from './include-paths.js';
import { type FileReading, type Place, type PlacedSentence, placeText, type Section } from './section.js';
import { unsetSentence, type Variables } from './variables.js';
import { readYaml } from './yaml-form.js';

/** All that a file says, with the files that it includes. */
export interface FileTree {
  /** Absolute path of the file. */
  readonly file: string;
  readonly sections: readonly Section[];
  readonly problems: readonly PlacedSentence[];
  readonly warnings: readonly PlacedSentence[];
}

const FILES_MAX = 200;
const SHOWN_LENGTH = 200;

/**
 * Reads a file and, in their places, those that it includes; `.yaml` and `.yml` are in the YAML form, others in the
 * classic one. Variables that the files set are set in `variables`.
 * @param namedAt where another file names this one; undefined for the file of `-c`
 */
export function readFileTree(
  path: string,
  variables: Variables,
  namedAt: Place | undefined = undefined,
): FileTree {
  const reader = new TreeReader(resolve(path), variables);
  reader.readFile(resolve(path), namedAt);
  return reader.tree();
}

class TreeReader {
  readonly #main: string;
  readonly #variables: Variables;
  readonly #sections: Section[] = [];
  readonly #problems: PlacedSentence[] = [];
  readonly #warnings: PlacedSentence[] = [];
  /** Where each file that was read is named. */
  readonly #read = new Map<string, string>();

  constructor(main: string, variables: Variables) {
    this.#main = main;
    this.#variables = variables;
  }

  tree(): FileTree {
    return {
      file: this.#main,
      sections: this.#sections,
      problems: this.#problems,
      warnings: this.#warnings,
    };
  }

  readFile(file: string, namedAt: Place | undefined): void {
    const reading = readFileText(file);
    if (reading.kind === 'problem') {
      const place = namedAt ?? { file, line: undefined };
      const sentence = namedAt === undefined ? reading.sentence : `${file}: ${reading.sentence}`;
      this.#problems.push({ place, sentence });
      return;
    }
    if (!this.#isNew(file, reading.identity, namedAt)) return;
    this.#take(isYaml(file) ? readYaml(file, reading.text) : readClassic(file, reading.text));
  }

  /** A file is read once: as in Fluent Bit, which also keeps files from including each other for ever. */
  #isNew(file: string, identity: string, namedAt: Place | undefined): boolean {
    const place = namedAt ?? { file, line: undefined };
    const before = this.#read.get(identity);
    if (before !== undefined) {
      this.#problems.push({ place, sentence: `${file} is read already (${before}): include it once` });
      return false;
    }
    if (this.#read.size >= FILES_MAX) {
      if (this.#read.size === FILES_MAX) {
        this.#problems.push({ place, sentence: `includes too much: ${FILES_MAX} files in all are the most` });
      }
      this.#read.set(identity, placeText(place));
      return false;
    }
    this.#read.set(identity, namedAt === undefined ? 'the first file' : placeText(namedAt));
    return true;
  }

  #take({ items, problems, warnings }: FileReading): void {
    this.#problems.push(...problems);
    this.#warnings.push(...warnings);
    for (const item of items) {
      if (item.kind === 'section') this.#sections.push(item.section);
      else if (item.kind === 'set') this.#variables.set(item.name, this.#expand(item.value, item.place));
      else this.#include(this.#expand(item.path, item.place), item.place);
    }
  }

  #include(path: string, place: Place): void {
    const beside = { file: place.file, main: this.#main };
    if (!isPattern(path)) {
      this.readFile(besideFile(path, beside), place);
      return;
    }
    const files = filesOf(path, beside);
    if (files.length === 0) {
      this.#warnings.push({ place, sentence: `${quoted(path, SHOWN_LENGTH)} matches no file` });
    }
    for (const file of files) this.readFile(file, place);
  }

  #expand(value: string, place: Place): string {
    const { text, unset } = this.#variables.expand(value);
    for (const name of unset) this.#warnings.push({ place, sentence: unsetSentence(name) });
    return text;
  }
}

function isYaml(file: string): boolean {
  return ['.yaml', '.yml'].includes(extname(file).toLowerCase());
}
