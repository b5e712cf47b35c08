import {
  cleanTags,
  type Metric,
  metricProblem,
  sampleNameProblem,
  type Tags,
  timestampSeconds,
  withoutBlanks,
} from './metric.js';

/** A field's value as InfluxDB-style consumers take it; a bigint is a whole number that a double does not hold. */
export type FieldValue = number | bigint | boolean | string;

/** A finished points document, or a piece of one that was too large for a message: JSON text, complete in itself. */
export interface PointsDocument {
  readonly text: string;
  /** Length of `text` in UTF-8. */
  readonly bytes: number;
  readonly points: number;
}

/** What all points of a document share. */
export interface DocumentSettings {
  /** The document's `database`. */
  readonly database: string;
  /** Put in front of every metric's name to make its measurement. */
  readonly measurementPrefix: string;
  /** Tag `host` of the points that do not bring one. */
  readonly host: string;
  /** Longest document in bytes; more points start another one. */
  readonly maxBytes: number;
}

/** A metric that was left out, by its place in the list. */
export interface BadMetric {
  readonly index: number;
  readonly reason: string;
}

/** What became of a list of metrics. */
export interface EncodedMetrics {
  readonly documents: readonly PointsDocument[];
  readonly points: number;
  /** The first bad metrics of the list. */
  readonly bad: readonly BadMetric[];
  /** How many metrics of the list were bad. */
  readonly badCount: number;
}

/** A point longer than this is refused, so that every point fits every output's message. */
const POINT_BYTES_MAX = 256 * 1024;

/** So many bad metrics are kept with their reasons; a list of nothing else must not fill the memory. */
const BAD_KEPT_MAX = 10;

/** Anything but printable ASCII without the quote and the backslash. */
const NEEDS_ESCAPE = /[^ !#-[\]-~]/;

/**
 * Checks a list of metrics and encodes the good ones, in one pass over the list.
 * @param list elements of a parsed JSON list, each possibly anything
 * @param nowSeconds unix time for metrics that bring none
 */
export function encodeMetrics(
  list: readonly unknown[],
  settings: DocumentSettings,
  nowSeconds: number,
): EncodedMetrics {
  const encoder = new PointsEncoder(settings, nowSeconds);
  encoder.addMetrics(list);
  return encoder.finish();
}

/** A point in the making: what a line of a format with several fields a point says. */
export interface Sample {
  /** Follows `measurementPrefix`; blanks become `-`, control characters are refused. */
  readonly name: string;
  /** Without a prototype, as keys may be anything. */
  readonly tags: Tags;
  /** At least one; without a prototype, too. */
  readonly fields: Readonly<Record<string, FieldValue>>;
  /** Unix seconds; undefined, or out of the range of the metric contract: now. */
  readonly seconds?: number | undefined;
}

/** Encodes points as they come, and counts what is left out. */
export class PointsEncoder {
  readonly #settings: DocumentSettings;
  readonly #nowSeconds: number;
  readonly #documents: DocumentBuilder;
  readonly #hostTag: string;
  readonly #bad: BadMetric[] = [];
  #badCount = 0;
  #points = 0;

  /** @param nowSeconds unix time for what brings none */
  constructor(settings: DocumentSettings, nowSeconds: number) {
    this.#settings = settings;
    this.#nowSeconds = nowSeconds;
    this.#documents = new DocumentBuilder(settings.database, settings.maxBytes);
    this.#hostTag = hostTag(settings.host);
  }

  /** Points so far. */
  get points(): number {
    return this.#points;
  }

  /**
   * Adds the good ones of a list whose elements may be anything.
   * @param place of the whole list; undefined: the place of a bad one is its index
   */
  addMetrics(list: readonly unknown[], place?: number): void {
    for (let index = 0; index < list.length; index += 1) {
      const candidate = list[index];
      const problem = metricProblem(candidate);
      if (problem !== undefined) {
        this.refuse(place ?? index, problem);
        continue;
      }
      const { name, timestamp, tags, value } = candidate as Metric;
      this.#append(place ?? index, name, timestamp, tags, `"value":${fieldText(value)}`);
    }
  }

  /** @param place of the sample in what was printed, for the case that it is refused */
  addSample(place: number, { name, tags, fields, seconds }: Sample): void {
    const problem = sampleNameProblem(name);
    if (problem !== undefined) {
      this.refuse(place, problem);
      return;
    }
    this.#append(place, withoutBlanks(name), seconds, tags, fieldsText(fields));
  }

  /** Counts something that is left out. */
  refuse(index: number, reason: string): void {
    this.#badCount += 1;
    if (this.#bad.length < BAD_KEPT_MAX) this.#bad.push({ index, reason });
  }

  finish(): EncodedMetrics {
    return {
      documents: this.#documents.finish(),
      points: this.#points,
      bad: this.#bad,
      badCount: this.#badCount,
    };
  }

  #append(
    place: number,
    name: string,
    timestamp: number | undefined,
    tags: Tags | undefined,
    fields: string,
  ): void {
    const point = `{"measurement":${quote(this.#settings.measurementPrefix + name)},"timestamp":${timestampSeconds(
      timestamp,
      this.#nowSeconds,
    )},"tags":{${tagsText(cleanTags(tags), this.#hostTag)}},"fields":{${fields}}}`;
    if (this.#documents.add(point)) this.#points += 1;
    else this.refuse(place, `its point is longer than ${this.#documents.maxPointBytes} bytes`);
  }
}

/** Encodes points of the agent's own, one a document, that have measurement and most tags in common. */
export class PointForm {
  readonly #head: string;
  readonly #tags: string;

  /** @param tags what all points have, beside the tag `host` */
  constructor(place: Pick<DocumentSettings, 'database' | 'host'>, measurement: string, tags: Tags) {
    this.#head = `${documentHead(place.database)}{"measurement":${quote(measurement)},"timestamp":`;
    this.#tags = `,"tags":{${tagsText(cleanTags(tags), hostTag(place.host))}`;
  }

  /**
   * @param timestamp unix seconds
   * @param tag one more, its name and its value, as they are to be sent
   */
  encode(
    timestamp: number,
    fields: Readonly<Record<string, FieldValue>>,
    tag?: readonly [name: string, value: string],
  ): PointsDocument {
    const ownTag = tag === undefined ? '' : `,${quote(tag[0])}:${quote(tag[1])}`;
    const point = `${this.#head}${timestamp}${this.#tags}${ownTag}},"fields":{${fieldsText(fields)}}}`;
    const text = point + DOCUMENT_TAIL;
    return { text, bytes: Buffer.byteLength(text), points: 1 };
  }
}

const DOCUMENT_TAIL = ']}';

function documentHead(database: string): string {
  return `{"database":${quote(database)},"retentionPolicy":"default","precision":"s","points":[`;
}

class DocumentBuilder {
  readonly maxPointBytes: number;
  readonly #head: string;
  readonly #headBytes: number;
  readonly #maxBytes: number;
  readonly #finished: PointsDocument[] = [];
  #text = '';
  /** Of the document when it is closed now. */
  #bytes = 0;
  #points = 0;

  constructor(database: string, maxBytes: number) {
    this.#head = documentHead(database);
    this.#headBytes = Buffer.byteLength(this.#head);
    this.#maxBytes = maxBytes;
    this.maxPointBytes = Math.min(POINT_BYTES_MAX, maxBytes - this.#headBytes - DOCUMENT_TAIL.length);
  }

  /** False when the point is too long for any document; it is then left out. */
  add(point: string): boolean {
    const bytes = Buffer.byteLength(point);
    if (bytes > this.maxPointBytes) return false;
    if (this.#points > 0 && this.#bytes + 1 + bytes > this.#maxBytes) this.#close();
    if (this.#points === 0) {
      this.#text = this.#head + point;
      this.#bytes = this.#headBytes + bytes + DOCUMENT_TAIL.length;
    } else {
      this.#text += `,${point}`;
      this.#bytes += 1 + bytes;
    }
    this.#points += 1;
    return true;
  }

  finish(): readonly PointsDocument[] {
    if (this.#points > 0) this.#close();
    return this.#finished;
  }

  #close(): void {
    this.#finished.push({ text: this.#text + DOCUMENT_TAIL, bytes: this.#bytes, points: this.#points });
    this.#text = '';
    this.#bytes = 0;
    this.#points = 0;
  }
}

function hostTag(host: string): string {
  return `"host":${quote(host)}`;
}

function tagsText(tags: Tags, withHost: string): string {
  let text = '';
  let hasHost = false;
  for (const key in tags) {
    if (key === 'host') hasHost = true;
    text += `${text === '' ? '' : ','}${quote(key)}:${quote(tags[key] ?? '')}`;
  }
  if (hasHost) return text;
  return text === '' ? withHost : `${withHost},${text}`;
}

function fieldsText(fields: Sample['fields']): string {
  let text = '';
  for (const key in fields) {
    text += `${text === '' ? '' : ','}${quote(key)}:${fieldText(fields[key] ?? 0)}`;
  }
  return text;
}

function fieldText(value: FieldValue): string {
  return typeof value === 'string' ? quote(value) : String(value);
}

/** JSON string literal; most names and tags need no escaping, and a test is cheaper than `JSON.stringify`. */
function quote(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}
