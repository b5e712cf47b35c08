import { CodedError } from '../../../shared/coded-error.js';
import { problemList } from '../config-problem.js';
import { nearestName } from '../nearest-name.js';
import { type FileTree, readFileTree } from './file-tree.js';
import { besideFile } from './include-paths.js';
import { Notes } from './notes.js';
import { type OutputDraft, readOutputSection } from './output-section.js';
import type { Place, Section } from './section.js';
import { readServiceSections, type Service } from './service-section.js';
import { Variables } from './variables.js';

/** A library that a file names. */
export interface NamedLibrary {
  /** Absolute. */
  readonly path: string;
  readonly place: Place;
}

/** What a configuration in the form of Fluent Bit says. */
export interface OutputsFile {
  /** Absolute path of the file. */
  readonly file: string;
  readonly service: Service;
  readonly libraries: readonly NamedLibrary[];
  readonly outputs: readonly OutputDraft[];
  /** Sentences for the log, with file and line. */
  readonly warnings: readonly string[];
}

/**
 * Reads the file of `-c`, with those that it includes and the plugins files that it names. Loads no library.
 * @throws CodedError `config` with all problems in one message, a line each with file and line
 */
export function readOutputsFile(path: string, environment: NodeJS.ProcessEnv): OutputsFile {
  const notes = new Notes();
  const variables = new Variables(environment);
  const tree = readFileTree(path, variables);
  notes.add(tree.problems, tree.warnings);
  const sections = sortSections(tree.sections, notes);
  const service = readServiceSections(sections.service, variables, notes);
  const libraries = new LibraryList(variables, notes);
  libraries.addSections(sections.plugins, tree.file);
  for (const { path: named, place } of service.pluginsFiles) {
    const file = besideFile(named, { file: place.file, main: tree.file });
    libraries.addTree(readFileTree(file, variables, place));
  }
  const outputs = sections.output.map((section) => readOutputSection(section, variables, notes));
  if (outputs.length === 0 && notes.problems.length === 0) {
    notes.warn({ file: tree.file, line: undefined }, 'has no [OUTPUT], so nothing in it does anything');
  }
  throwProblems(notes);
  return { file: tree.file, service, libraries: libraries.list, outputs, warnings: notes.warnings };
}

/** What a plugins file says. */
export type PluginsFile = Pick<OutputsFile, 'libraries' | 'warnings'>;

/**
 * Reads a plugins file: `[PLUGINS]` with a `Path` for each library.
 * @throws CodedError `config` like readOutputsFile
 */
export function readPluginsFile(path: string, environment: NodeJS.ProcessEnv): PluginsFile {
  const notes = new Notes();
  const variables = new Variables(environment);
  const libraries = new LibraryList(variables, notes);
  libraries.addTree(readFileTree(path, variables));
  throwProblems(notes);
  return { libraries: libraries.list, warnings: notes.warnings };
}

function throwProblems(notes: Notes): void {
  if (notes.problems.length > 0) throw new CodedError('config', problemList(notes.problems));
}

class LibraryList {
  readonly #variables: Variables;
  readonly #notes: Notes;
  readonly #libraries: NamedLibrary[] = [];

  constructor(variables: Variables, notes: Notes) {
    this.#variables = variables;
    this.#notes = notes;
  }

  get list(): readonly NamedLibrary[] {
    return this.#libraries;
  }

  addTree(tree: FileTree): void {
    this.#notes.add(tree.problems, tree.warnings);
    const { plugins, service, output } = sortSections(tree.sections, this.#notes);
    for (const { name, place } of [...service, ...output]) {
      this.#notes.warn(place, `[${name}] means nothing in a plugins file, ignored`);
    }
    if (plugins.length === 0 && tree.problems.length === 0) {
      const sentence =
        'is no plugins file: it has no section [PLUGINS] with a line  Path FILE  for each library';
      this.#notes.problem({ file: tree.file, line: undefined }, sentence);
    }
    this.addSections(plugins, tree.file);
  }

  addSections(sections: readonly Section[], main: string): void {
    for (const { key, value, place } of sections.flatMap(({ entries }) => entries)) {
      const path = this.#notes.expanded(value, place, this.#variables);
      if (key.toLowerCase() !== 'path') {
        this.#notes.problem(place, `[PLUGINS] ${key}: unknown key: there is Path, the file of a library`);
      } else if (path === '') {
        this.#notes.problem(place, '[PLUGINS] Path is empty: write the file of a library');
      } else {
        this.#add(besideFile(path, { file: place.file, main }), place);
      }
    }
  }

  #add(path: string, place: Place): void {
    if (this.#libraries.some((library) => library.path === path)) {
      this.#notes.warn(place, `[PLUGINS] Path ${path} stands there already, taken once`);
    } else if (this.#libraries.length >= LIBRARIES_MAX) {
      this.#notes.problem(place, `[PLUGINS] Path is one too many: ${LIBRARIES_MAX} libraries are the most`);
    } else {
      this.#libraries.push({ path, place });
    }
  }
}

/** Each is asked in a process of its own what it registers. */
const LIBRARIES_MAX = 64;

interface SortedSections {
  readonly service: readonly Section[];
  readonly plugins: readonly Section[];
  readonly output: readonly Section[];
}

const OWN_SECTIONS = ['SERVICE', 'PLUGINS', 'OUTPUT'];

/** Those that Fluent Bit has besides, in both forms. */
const FOREIGN_SECTIONS = [
  'INPUT',
  'FILTER',
  'PARSER',
  'MULTILINE_PARSER',
  'CUSTOM',
  'STREAM_TASK',
  'UPSTREAM',
  'NODE',
  'INPUTS',
  'FILTERS',
  'PARSERS',
  'MULTILINE_PARSERS',
  'CUSTOMS',
  'STREAM_PROCESSOR',
  'UPSTREAM_SERVERS',
];

function sortSections(sections: readonly Section[], notes: Notes): SortedSections {
  const foreign: Section[] = [];
  for (const section of sections) {
    const name = section.name.toUpperCase();
    if (OWN_SECTIONS.includes(name)) continue;
    const near = FOREIGN_SECTIONS.includes(name) ? undefined : nearestName(name, OWN_SECTIONS);
    if (near === undefined) foreign.push(section);
    else notes.problem(section.place, `unknown section [${section.name}]: did you mean [${near}]?`);
  }
  warnOfForeign(foreign, notes);
  const named = (wanted: string) => sections.filter(({ name }) => name.toUpperCase() === wanted);
  return { service: named('SERVICE'), plugins: named('PLUGINS'), output: named('OUTPUT') };
}

function warnOfForeign(foreign: readonly Section[], notes: Notes): void {
  const [first] = foreign;
  if (first === undefined) return;
  const names = [...new Set(foreign.map(({ name }) => `[${name}]`))].join(', ');
  notes.warn(
    { file: first.place.file, line: first.place.line },
    `this agent has no use for ${names}, ignored: its points come from plugins and /post`,
  );
}
