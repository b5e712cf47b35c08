import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { reasonOf } from '../../../shared/coded-error.js';
import { quoted } from '../../../shared/quoted.js';
import { nearestName } from '../nearest-name.js';
import type { Entry, FileReading, Item, Place, PlacedSentence } from './section.js';

/**
 * Reads a file of the YAML form into what the classic form would be: `service`, `plugins`, `pipeline: outputs`, and
 * `env` and `includes`. Every value is text, as it is written. Other parts become sections of their names.
 */
export function readYaml(file: string, text: string): FileReading {
  return new YamlReader(file).read(text);
}

const SHOWN_LENGTH = 60;

/** Names at the top that this agent reads; then those that only Fluent Bit has a use for. */
const OWN_NAMES = ['service', 'plugins', 'pipeline', 'env', 'includes'] as const;
const FOREIGN_NAMES = ['parsers', 'multiline_parsers', 'customs', 'stream_processor', 'upstream_servers'];

const LISTS_OF_PIPELINE = ['inputs', 'filters', 'outputs'] as const;

class YamlReader {
  readonly #file: string;
  readonly #lines = new LineCounter();
  readonly #items: Item[] = [];
  readonly #problems: PlacedSentence[] = [];
  #resolve: (node: unknown) => unknown = (node) => node;

  constructor(file: string) {
    this.#file = file;
  }

  read(text: string): FileReading {
    try {
      this.#readText(text);
    } catch (error) {
      // A nesting that is too deep for the parser, for one.
      this.#refuse(undefined, `not valid YAML: ${reasonOf(error)}`);
    }
    return { items: this.#items, problems: this.#problems, warnings: [] };
  }

  #readText(text: string): void {
    // In this schema every scalar is the text that stands there: 0x1F, 1.10 and on stay what they are.
    const document = parseDocument(text, {
      schema: 'failsafe',
      lineCounter: this.#lines,
      prettyErrors: false,
    });
    for (const { message, pos } of document.errors.slice(0, 10)) {
      this.#problems.push({ place: this.#placeAt(pos[0]), sentence: `not valid YAML: ${message}` });
    }
    if (document.errors.length > 0 || document.contents === null) return;
    this.#resolve = (node) => (isAlias(node) ? node.resolve(document) : node);
    for (const [name, value, node] of this.#pairs(document.contents, 'the file')) {
      this.#readTop(name, value, node);
    }
  }

  #readTop(name: string, value: unknown, node: unknown): void {
    switch (name) {
      case 'service':
        this.#addSection('SERVICE', value, node);
        break;
      case 'plugins':
        this.#readPlugins(value, node);
        break;
      case 'pipeline':
        this.#readPipeline(value);
        break;
      case 'env':
        this.#readEnvironment(value);
        break;
      case 'includes':
        this.#readIncludes(value);
        break;
      default:
        this.#readForeign(name, node);
    }
  }

  #readIncludes(value: unknown): void {
    for (const { text, place } of this.#texts(value, 'includes')) {
      this.#items.push({ kind: 'include', path: text, place });
    }
  }

  #readForeign(name: string, node: unknown): void {
    if (FOREIGN_NAMES.includes(name)) {
      this.#addForeign(name, node);
      return;
    }
    const near = nearestName(name, [...OWN_NAMES, ...FOREIGN_NAMES]);
    const hint = near === undefined ? `there are ${OWN_NAMES.join(', ')}` : `did you mean ${near}?`;
    this.#refuse(node, `unknown name ${quoted(name, SHOWN_LENGTH)}: ${hint}`);
  }

  #readPlugins(value: unknown, node: unknown): void {
    const entries = this.#texts(value, 'plugins').map(({ text, place }) => ({
      key: 'path',
      value: text,
      place,
    }));
    this.#items.push({ kind: 'section', section: { name: 'PLUGINS', place: this.#placeOf(node), entries } });
  }

  #readPipeline(value: unknown): void {
    for (const [name, list, node] of this.#pairs(value, 'pipeline')) {
      if (!LISTS_OF_PIPELINE.some((known) => known === name)) {
        const there = LISTS_OF_PIPELINE.join(', ');
        this.#refuse(node, `unknown name ${quoted(name, SHOWN_LENGTH)} in pipeline: there are ${there}`);
      } else if (name !== 'outputs') {
        this.#addForeign(name, node);
      } else {
        for (const output of this.#entriesOf(list, 'outputs', node)) {
          if (isMap(this.#resolve(output))) this.#addSection('OUTPUT', output, output);
          else this.#refuse(output, 'each of outputs must be a map: a line  name: value  for each key');
        }
      }
    }
  }

  #readEnvironment(value: unknown): void {
    for (const [name, inner, node] of this.#pairs(value, 'env')) {
      const text = this.#text(inner);
      if (text === undefined)
        this.#refuse(node, `env ${quoted(name, SHOWN_LENGTH)} must be text or a number`);
      else this.#items.push({ kind: 'set', name, value: text, place: this.#placeOf(node) });
    }
  }

  #addForeign(name: string, node: unknown): void {
    const place = this.#placeOf(node);
    this.#items.push({ kind: 'section', section: { name, place, entries: [] } });
  }

  #addSection(name: string, value: unknown, node: unknown): void {
    const entries = this.#pairs(value, name.toLowerCase()).flatMap(([key, inner, keyNode]) =>
      this.#entry(key, inner, keyNode),
    );
    this.#items.push({ kind: 'section', section: { name, place: this.#placeOf(node), entries } });
  }

  /** A list is the key written again for each of its entries, as in Fluent Bit. */
  #entry(key: string, value: unknown, node: unknown): readonly Entry[] {
    const resolved = this.#resolve(value);
    const values = isSeq(resolved) ? resolved.items : [resolved];
    return values.flatMap((inner): readonly Entry[] => {
      const text = this.#text(inner);
      if (text !== undefined) return [{ key, value: text, place: this.#placeOf(node) }];
      this.#refuse(
        node,
        `${quoted(key, SHOWN_LENGTH)} must be text, a number, true or false, or a list of these`,
      );
      return [];
    });
  }

  #pairs(value: unknown, what: string): readonly (readonly [string, unknown, unknown])[] {
    const map = this.#resolve(value);
    if (map === null || (isScalar(map) && (map.value === null || map.value === ''))) return [];
    if (!isMap(map)) {
      this.#refuse(value, `${what} must be a map: a line  name: value  for each key`);
      return [];
    }
    return map.items.map((pair: Pair) => {
      const name = this.#text(pair.key) ?? '';
      return [name, pair.value, pair.key] as const;
    });
  }

  #entriesOf(value: unknown, what: string, node: unknown): readonly unknown[] {
    const list = this.#resolve(value);
    if (isSeq(list)) return list.items;
    if (list === null || (isScalar(list) && (list.value === null || list.value === ''))) return [];
    this.#refuse(node, `${what} must be a list: a line that begins with "- " for each`);
    return [];
  }

  #texts(value: unknown, what: string): readonly { readonly text: string; readonly place: Place }[] {
    return this.#entriesOf(value, what, value).flatMap((entry) => {
      const text = this.#text(entry);
      if (text !== undefined && text !== '') return [{ text, place: this.#placeOf(entry) }];
      this.#refuse(entry, `each of ${what} must be the path of a file`);
      return [];
    });
  }

  /** Undefined for what is no scalar; empty for nothing. */
  #text(node: unknown): string | undefined {
    const scalar = this.#resolve(node);
    if (scalar === null || scalar === undefined) return '';
    if (!isScalar(scalar)) return undefined;
    const text = scalar.value === null ? '' : String(scalar.value).trim();
    // Text of C ends there.
    return text.includes('\0') ? undefined : text;
  }

  #refuse(node: unknown, sentence: string): void {
    this.#problems.push({ place: this.#placeOf(node), sentence });
  }

  #placeOf(node: unknown): Place {
    const range = isNode(node) ? node.range : undefined;
    return range ? this.#placeAt(range[0]) : { file: this.#file, line: undefined };
  }

  #placeAt(offset: number): Place {
    return { file: this.#file, line: Math.max(1, this.#lines.linePos(offset).line) };
  }
}

function isNode(value: unknown): value is Pick<Node, 'range'> {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}
