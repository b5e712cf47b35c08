import { parse } from 'toml';
import parser, { type TomlHeader, type TomlNode, type TomlValue } from 'toml/lib/parser.js';
import { reasonOf } from '../../shared/coded-error.js';

/** A TOML text, read: its data, and the line of every key. */
export interface TomlDocument {
  readonly data: Readonly<Record<string, unknown>>;
  /** Line of a table, key or list entry, counted from 1; where it has none of its own, that of what holds it. */
  lineOf(path: readonly PropertyKey[]): number | undefined;
}

/** The text is no TOML. */
export class TomlError extends Error {
  readonly line: number | undefined;

  constructor(line: number | undefined, message: string) {
    super(message);
    this.name = 'TomlError';
    this.line = line;
  }
}

/** Reads a TOML text. Throws TomlError. */
export function readToml(text: string): TomlDocument {
  try {
    const offsets = offsetsOf(parser.parse(text));
    // As BigInt: an integer beyond the safe ones is then just a number out of its key's range.
    const data: unknown = withoutBigInts(parse(text, { bigint: true }));
    return { data: isRecord(data) ? data : {}, lineOf: (path) => lineOf(text, offsets, path) };
  } catch (error) {
    throw tomlError(text, error);
  }
}

/** True for what a TOML table becomes. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function withoutBigInts(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(withoutBigInts);
  if (!isRecord(value)) return value;
  const table: Record<string, unknown> = Object.create(null);
  for (const [key, inner] of Object.entries(value)) table[key] = withoutBigInts(inner);
  return table;
}

type Offsets = ReadonlyMap<string, number>;

/** Unlike a joined text, this cannot mix up keys that hold the joint. */
function nameOf(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String));
}

function offsetsOf(nodes: readonly TomlNode[]): Offsets {
  const offsets = new Map<string, number>();
  const note = (path: readonly string[], offset: number) => {
    const name = nameOf(path);
    if (!offsets.has(name)) offsets.set(name, offset);
  };
  const noteValue = (path: readonly string[], value: TomlValue) => {
    if (value.type === 'Array') {
      for (const [index, entry] of value.value.entries()) {
        note([...path, String(index)], entry.offset);
        noteValue([...path, String(index)], entry);
      }
    } else if (value.type === 'InlineTable') {
      for (const inner of value.value) noteAssign(path, inner.key, inner.value, inner.offset);
    }
  };
  const noteAssign = (
    table: readonly string[],
    key: string | readonly string[],
    value: TomlValue,
    offset: number,
  ) => {
    const path = [...table, ...(typeof key === 'string' ? [key] : key)];
    for (let depth = table.length + 1; depth <= path.length; depth++) note(path.slice(0, depth), offset);
    noteValue(path, value);
  };

  let table: readonly string[] = [];
  const lists = new Map<string, number>();
  for (const node of nodes) {
    if (node.type === 'Assign') {
      noteAssign(table, node.key, node.value, node.offset);
    } else {
      table = tablePath(node, lists);
      for (let depth = 1; depth <= table.length; depth++) note(table.slice(0, depth), node.offset);
    }
  }
  return offsets;
}

/**
 * The path of a table by its line, with an index behind the name of each list of tables: `[[a]]` begins a new one, and
 * `[a.b]` means the last.
 * @param lists how many tables each list has so far
 */
function tablePath({ type, value }: TomlHeader, lists: Map<string, number>): readonly string[] {
  const path: string[] = [];
  for (const [place, key] of value.entries()) {
    path.push(key);
    const name = nameOf(path);
    const isNew = type === 'ArrayPath' && place === value.length - 1;
    const count = (lists.get(name) ?? 0) + (isNew ? 1 : 0);
    if (count === 0) continue;
    lists.set(name, count);
    path.push(String(count - 1));
  }
  return path;
}

function lineOf(text: string, offsets: Offsets, path: readonly PropertyKey[]): number | undefined {
  for (let depth = path.length; depth > 0; depth--) {
    const offset = offsets.get(nameOf(path.slice(0, depth)));
    if (offset !== undefined) return lineAt(text, offset);
  }
  return undefined;
}

function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** What the parser's syntax error carries. */
interface SyntaxFacts {
  readonly found: string | null;
  readonly location: { readonly start: { readonly offset: number } };
}

function tomlError(text: string, error: unknown): TomlError {
  if (error instanceof parser.SyntaxError && isSyntaxFacts(error)) {
    const { offset } = error.location.start;
    return new TomlError(lineAt(text, offset), syntaxSentence(text, offset, error.found));
  }
  const line =
    error instanceof Error && 'line' in error && typeof error.line === 'number' ? error.line : undefined;
  const twice = /^Cannot redefine existing key '(.*)'\.$/.exec(reasonOf(error))?.[1];
  if (twice === undefined) return new TomlError(line, reasonOf(error));
  return new TomlError(line, `${twice} stands in the file already: put both parts together in one place`);
}

function isSyntaxFacts(error: object): error is SyntaxFacts {
  return 'location' in error && 'found' in error;
}

function syntaxSentence(text: string, offset: number, found: string | null): string {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const before = text.slice(lineStart, offset);
  const lineEnd = found === null || found === '\n' || found === '\r';
  const where = lineEnd ? 'the line ends too early' : `${JSON.stringify(found)} is not expected`;
  const after = before.trim() === '' ? '' : ` after ${JSON.stringify(before.trim().slice(-40))}`;
  return `${where}${after}: ${syntaxHint(before, lineEnd)}`;
}

function syntaxHint(before: string, lineEnd: boolean): string {
  const line = before.trim();
  if (line.startsWith('[')) return 'a table begins with a line like [agent]';
  if (!line.includes('=')) return 'a line is [table], key = value, or # and a comment';
  const value = line.slice(line.indexOf('=') + 1).trim();
  if (lineEnd && value.startsWith('"')) return 'text ends with a double quote';
  if (value.startsWith('[')) return 'a list is ["a", "b"]';
  return 'a value is text in double quotes, a number, true or false, or a list like ["a", "b"]';
}
