import { reasonOf } from '../../../shared/coded-error.js';
import { jsonKind } from '../../../shared/json-kind.js';
import { quoted } from '../../../shared/quoted.js';
import { type Escapes, escapesOf, quotedField } from './influxdb-escape.js';

/** What a points document becomes: a line for each point, with timestamps in seconds. */
export interface DocumentLines {
  /** In the order of the points. A line has no end; within a field's quotes it may have line breaks. */
  readonly lines: readonly string[];
  /** Points that no line can be made of, and why not, for the first of them. */
  readonly unfit: number;
  readonly unfitReason: string | undefined;
}

export interface LineProtocolOptions {
  readonly version: 1 | 2 | 3;
  /** Name of a tag that holds the namespace; empty: none is added. */
  readonly namespaceTag: string;
}

/** Names that InfluxDB keeps for itself: it refuses such tags, and drops a field `time`. */
const RESERVED = new Set(['time', '_field', '_measurement']);

/** Characters of a foreign name in a sentence. */
const SHOWN_MAX = 60;

/** Makes line protocol of points documents, for one version of InfluxDB. */
export class LineProtocol {
  readonly #escapes: Escapes;
  readonly #namespaceTag: string;
  /** Version 3 has tags and fields in one table: no two may have the same name. */
  readonly #isOneTable: boolean;

  constructor({ version, namespaceTag }: LineProtocolOptions) {
    this.#escapes = escapesOf(version);
    this.#namespaceTag = namespaceTag;
    this.#isOneTable = version === 3;
  }

  /** A document that is none, as damage would make it, has no lines and counts as one unfit point. */
  linesOf(document: Buffer, namespace: string): DocumentLines {
    let points: readonly unknown[];
    try {
      points = pointsOf(document);
    } catch (thrown) {
      return { lines: [], unfit: 1, unfitReason: `this is no points document: ${reasonOf(thrown)}` };
    }
    const lines: string[] = [];
    let unfitReason: string | undefined;
    for (const point of points) {
      try {
        lines.push(this.#line(point, namespace));
      } catch (thrown) {
        unfitReason ??= reasonOf(thrown);
      }
    }
    return { lines, unfit: points.length - lines.length, unfitReason };
  }

  #line(point: unknown, namespace: string): string {
    if (!isObject(point)) throw new Error(`a point is an object, this is ${jsonKind(point)}`);
    const { measurement, timestamp } = point;
    if (typeof measurement !== 'string' || measurement === '') throw new Error('a point has no measurement');
    if (!Number.isSafeInteger(timestamp)) throw new Error('a point has no timestamp in whole seconds');
    const fields = this.#fields(point.fields);
    const tags = this.#tags(point.tags, fields, namespace);
    return `${this.#escapes.measurement(measurement)}${tags} ${[...fields.values()].join(',')} ${timestamp}`;
  }

  /** The fields as they stand in the line, by their escaped keys. */
  #fields(fields: unknown): ReadonlyMap<string, string> {
    const texts = new Map<string, string>();
    for (const [key, value] of Object.entries(isObject(fields) ? fields : {})) {
      if (key === '') continue;
      const name = freeName(this.#escapes.fieldKey(key), texts);
      texts.set(name, `${name}=${fieldText(key, value)}`);
    }
    if (texts.size === 0) throw new Error('a point has no fields');
    return texts;
  }

  #tags(tags: unknown, fields: ReadonlyMap<string, string>, namespace: string): string {
    const taken = new Set<string>(this.#isOneTable ? fields.keys() : []);
    let text = '';
    const add = (key: string, value: unknown) => {
      if (key === '' || typeof value !== 'string' || value === '') return;
      const name = freeName(this.#escapes.tagKey(key), taken);
      taken.add(name);
      text += `,${name}=${this.#escapes.tagValue(value)}`;
    };
    // First, so that it has its name even where points bring a tag of the same one.
    if (this.#namespaceTag !== '') add(this.#namespaceTag, namespace);
    if (isObject(tags)) for (const key in tags) add(key, tags[key]);
    return text;
  }
}

/** The name itself, or with as many `_` behind it as make it one that can be had. */
function freeName(name: string, taken: { has(name: string): boolean }): string {
  let free = name;
  while (RESERVED.has(free) || taken.has(free)) free += '_';
  return free;
}

/**
 * Every number is a float: with the `i` of an integer behind a value that happens to be whole, the first one would
 * decide the field's type and the next one with decimals would be refused.
 */
function fieldText(key: string, value: unknown): string {
  if (typeof value === 'number' && Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'string') return quotedField(value);
  if (typeof value === 'boolean') return String(value);
  const kind = typeof value === 'number' ? 'too large for a number' : jsonKind(value);
  throw new Error(`field ${quoted(key, SHOWN_MAX)} of a point is ${kind}`);
}

function pointsOf(document: Buffer): readonly unknown[] {
  const parsed: unknown = JSON.parse(document.toString('utf8'));
  if (!isObject(parsed) || !Array.isArray(parsed.points)) throw new Error('it has no list of points');
  return parsed.points;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
