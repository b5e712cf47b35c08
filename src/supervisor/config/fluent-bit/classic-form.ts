import { quoted } from '../../../shared/quoted.js';
import type { Entry, FileReading, Item, PlacedSentence } from './section.js';

/**
 * Reads a file of the classic form: sections in brackets at the line's start, indented `Key Value` lines below them,
 * `#` comments, `@SET name=value`, `@INCLUDE path`. The first indented line says how the file is indented, as in Fluent
 * Bit. Goes on behind a mistake, so that all of them are named.
 */
export function readClassic(file: string, text: string): FileReading {
  return new ClassicReader(file).read(text);
}

const SHOWN_LENGTH = 60;

class ClassicReader {
  readonly #file: string;
  readonly #items: Item[] = [];
  readonly #problems: PlacedSentence[] = [];
  /** Of the section that lines belong to; undefined before the first. */
  #entries: Entry[] | undefined;
  #indent: string | undefined;
  #line = 0;

  constructor(file: string) {
    this.#file = file;
  }

  read(text: string): FileReading {
    for (const line of text.split('\n')) {
      this.#line++;
      this.#readLine(line.replace(/\r$/, ''));
    }
    return { items: this.#items, problems: this.#problems, warnings: [] };
  }

  #readLine(line: string): void {
    const content = line.trim();
    if (content === '' || content.startsWith('#')) return;
    if (line.startsWith('[')) {
      this.#readHeader(line);
    } else if (line.startsWith('@')) {
      this.#readCommand(line);
    } else {
      this.#checkIndent(line);
      // Also where it is wrong: that the key is missing would be no second mistake.
      this.#readEntry(content);
    }
  }

  #readHeader(line: string): void {
    const end = line.indexOf(']');
    const name = line.slice(1, end).trim();
    this.#entries = [];
    if (end === -1 || name === '') {
      this.#refuse(`${quoted(line, SHOWN_LENGTH)} is no section: write its name in brackets, like [OUTPUT]`);
      return;
    }
    const rest = line.slice(end + 1).trim();
    if (rest !== '' && !rest.startsWith('#')) {
      this.#refuse(`${quoted(rest, SHOWN_LENGTH)} stands behind [${name}]: put it on a line of its own`);
    }
    this.#items.push({ kind: 'section', section: { name, place: this.#place(), entries: this.#entries } });
  }

  #readCommand(line: string): void {
    const [, command = '', rest = ''] = /^@(\S*)\s*(.*)$/.exec(line.trimEnd()) ?? [];
    switch (command.toUpperCase()) {
      case 'INCLUDE':
        if (rest === '') this.#refuse('@INCLUDE needs the path of a file, like  @INCLUDE outputs.conf');
        else this.#items.push({ kind: 'include', path: rest, place: this.#place() });
        return;
      case 'SET':
        this.#readSet(rest);
        return;
      default:
        this.#refuse(`there is no command @${command}: there are @SET and @INCLUDE`);
    }
  }

  #readSet(rest: string): void {
    const middle = rest.indexOf('=');
    const name = rest.slice(0, middle).trim();
    if (middle === -1 || name === '') {
      this.#refuse('@SET needs a name and a value, like  @SET region=eu');
      return;
    }
    const value = rest.slice(middle + 1).trim();
    this.#items.push({ kind: 'set', name, value, place: this.#place() });
  }

  #checkIndent(line: string): void {
    const indent = /^[ \t]*/.exec(line)?.[0] ?? '';
    if (indent === '') {
      const shown = quoted(line, SHOWN_LENGTH);
      this.#refuse(`${shown} is not indented: keys stand below their section, behind blanks or a tab`);
      return;
    }
    this.#indent ??= indent;
    if (indent === this.#indent) return;
    this.#refuse(`${indentProblem(indent, this.#indent)}: indent every key of a file alike`);
  }

  #readEntry(content: string): void {
    if (this.#entries === undefined) {
      this.#refuse(`${quoted(content, SHOWN_LENGTH)} stands before the first section, like [OUTPUT]`);
      return;
    }
    if (content.startsWith('[')) {
      this.#refuse(`${quoted(content, SHOWN_LENGTH)}: a section begins at the start of its line`);
      return;
    }
    const [, key = '', value = ''] = /^(\S+)\s*(.*)$/.exec(content) ?? [];
    if (value === '') this.#refuse(`${quoted(key, SHOWN_LENGTH)} has no value: write it behind the key`);
    else this.#entries.push({ key, value, place: this.#place() });
  }

  #refuse(sentence: string): void {
    this.#problems.push({ place: this.#place(), sentence });
  }

  #place() {
    return { file: this.#file, line: this.#line };
  }
}

function indentProblem(indent: string, expected: string): string {
  const kinds = new Set([...indent, ...expected]);
  if (kinds.size > 1) return 'inconsistent use of tabs and blanks in the indentation';
  return indent.length < expected.length
    ? `the indentation is too low (${indent.length} in place of ${expected.length})`
    : `there is extra indentation (${indent.length} in place of ${expected.length})`;
}
