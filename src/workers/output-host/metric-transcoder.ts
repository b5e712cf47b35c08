import type { Encoder } from '@msgpack/msgpack';
import type { EventBuffer } from './event-buffer.js';
import type { EventForm } from './event-form.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** What stands between the changing parts of a point, as `shared/points-document.ts` writes it. */
const POINTS = '"points":[';
const BEFORE_MEASUREMENT = Buffer.from('{"measurement":"');
const BEFORE_TIMESTAMP = Buffer.from(',"timestamp":');
const BEFORE_TAGS = Buffer.from(',"tags":{');
const BEFORE_VALUE = Buffer.from(',"fields":{"value":');

/** Keys of a record that a tag beside them must not hide. */
const RESERVED = ['measurement', 'namespace', 'value'].map((key) => Buffer.from(key));

/** Of a map or a digit string that is written here; longer ones take the long way. */
const MAP_MOST = 15;
const DIGITS_MOST = 9;

/** Where a point is not what this file knows. */
class Strange extends Error {}

/**
 * Turns documents of plain metrics into events without parsing them into objects: for each metric that costs a fifth of
 * what a JSON parser and an encoder do. Byte for byte what the encoder makes of them; what is not of the one known shape
 * (escapes in texts, other fields, many tags) is left to it.
 */
export class MetricTranscoder {
  readonly #encoder: Encoder;
  readonly #isFlat: boolean;
  readonly #head: Uint8Array;
  readonly #namespace: Uint8Array;
  readonly #tags: Uint8Array;
  readonly #value: Uint8Array;
  #in: Buffer = Buffer.alloc(0);
  #out: Buffer = Buffer.alloc(0);
  /** Next bytes in input and output. */
  #from = 0;
  #to = 0;

  constructor(encoder: Encoder, { namespace, format }: EventForm) {
    this.#encoder = encoder;
    this.#isFlat = format === 'flat';
    this.#head = Buffer.concat([Buffer.from([0x84]), encoder.encode('measurement')]);
    this.#namespace = Buffer.concat([encoder.encode('namespace'), encoder.encode(namespace)]);
    this.#tags = encoder.encode('tags');
    this.#value = encoder.encode('value');
  }

  /**
   * Appends the events of the document that stands in `body` from `start` to `end`.
   * @returns `all`, or how many of its points were appended before a strange one
   */
  transcode(body: Buffer, start: number, end: number, events: EventBuffer): 'all' | number {
    const points = body.indexOf(POINTS, start, 'latin1');
    if (points < 0 || points >= end) return 0;
    this.#in = body;
    this.#from = points + POINTS.length;
    let count = 0;
    try {
      for (;;) {
        this.#out = events.bytes;
        this.#to = events.length;
        this.#point();
        if (this.#to > this.#out.length) return count;
        events.add(this.#to);
        count += 1;
        if (body[this.#from] !== COMMA) break;
        this.#from += 1;
      }
    } catch (thrown) {
      if (thrown instanceof Strange) return count;
      throw thrown;
    }
    return 'all';
  }

  #point(): void {
    this.#expect(BEFORE_MEASUREMENT);
    const timeAt = this.#to;
    this.#to += 11;
    const mapAt = this.#to;
    this.#write(this.#head);
    this.#text();
    this.#expect(BEFORE_TIMESTAMP);
    const seconds = this.#number();
    if (!Number.isInteger(seconds) || seconds < 0 || seconds > 0xffffffff) throw new Strange();
    this.#writeHead(timeAt, seconds);
    this.#write(this.#namespace);
    this.#expect(BEFORE_TAGS);
    const tags = this.#isFlat ? this.#flatTags(mapAt) : this.#nestedTags();
    if (tags > MAP_MOST) throw new Strange();
    this.#expect(BEFORE_VALUE);
    this.#write(this.#value);
    this.#fieldValue();
    if (this.#in[this.#from] !== CLOSE || this.#in[this.#from + 1] !== CLOSE) throw new Strange();
    this.#from += 2;
  }

  #nestedTags(): number {
    this.#write(this.#tags);
    const mapAt = this.#to;
    this.#to += 1;
    const tags = this.#tagList();
    this.#out[mapAt] = 0x80 | tags;
    return tags;
  }

  #flatTags(mapAt: number): number {
    const keys = this.#tagList() + 3;
    this.#out[mapAt] = 0x80 | keys;
    return keys;
  }

  /** From behind the brace to behind the one that closes it; the answer is their number. */
  #tagList(): number {
    const bytes = this.#in;
    if (bytes[this.#from] === CLOSE) {
      this.#from += 1;
      return 0;
    }
    for (let tags = 1; ; tags += 1) {
      if (bytes[this.#from] !== QUOTE) throw new Strange();
      this.#from += 1;
      const keyAt = this.#from;
      this.#text();
      if (this.#isFlat && this.#isReserved(keyAt)) throw new Strange();
      // A colon, and the quote of the value.
      if (bytes[this.#from + 1] !== QUOTE) throw new Strange();
      this.#from += 2;
      this.#text();
      const next = bytes[this.#from];
      this.#from += 1;
      if (next === CLOSE) return tags;
      if (next !== COMMA) throw new Strange();
    }
  }

  #isReserved(keyAt: number): boolean {
    const end = this.#from - 1;
    return RESERVED.some((key) => key.length === end - keyAt && key.equals(this.#in.subarray(keyAt, end)));
  }

  #fieldValue(): void {
    const first = this.#in[this.#from];
    if (first === QUOTE) {
      this.#from += 1;
      this.#text();
    } else if (first === 0x74 || first === 0x66) {
      this.#from += first === 0x74 ? 4 : 5;
      this.#out[this.#to++] = first === 0x74 ? 0xc3 : 0xc2;
    } else {
      this.#writeNumber(this.#number());
    }
  }

  /** The text up to the next quote, and behind it. */
  #text(): void {
    const bytes = this.#in;
    const start = this.#from;
    let end = start;
    for (let byte = bytes[end]; byte !== QUOTE; byte = bytes[end]) {
      if (byte === BACKSLASH || byte === undefined) throw new Strange();
      end += 1;
    }
    this.#from = end + 1;
    const length = end - start;
    const out = this.#out;
    let to = this.#to;
    if (length < 32) {
      out[to++] = 0xa0 | length;
    } else if (length < 0x100) {
      out[to++] = 0xd9;
      out[to++] = length;
    } else if (length < 0x10000) {
      out[to++] = 0xda;
      out[to++] = length >>> 8;
      out[to++] = length;
    } else {
      throw new Strange();
    }
    for (let at = start; at < end; at += 1) out[to++] = bytes[at] ?? 0;
    this.#to = to;
  }

  #number(): number {
    const bytes = this.#in;
    const start = this.#from;
    let at = start;
    let whole = 0;
    for (let digit = (bytes[at] ?? 0) - ZERO; digit >= 0 && digit <= 9; digit = (bytes[at] ?? 0) - ZERO) {
      whole = whole * 10 + digit;
      at += 1;
    }
    const next = bytes[at];
    if (at > start && at - start <= DIGITS_MOST + 1 && (next === COMMA || next === CLOSE)) {
      this.#from = at;
      return whole;
    }
    return this.#longNumber(start);
  }

  /** Signs, fractions, exponents and many digits. */
  #longNumber(start: number): number {
    const bytes = this.#in;
    let at = start;
    for (let byte = bytes[at]; byte !== COMMA && byte !== CLOSE; byte = bytes[at]) {
      if (byte === undefined || byte === OPEN || at - start > 40) throw new Strange();
      at += 1;
    }
    const first = bytes[start] ?? 0;
    if (at === start || (first !== MINUS && (first < ZERO || first > ZERO + 9))) throw new Strange();
    this.#from = at;
    return Number(bytes.toString('latin1', start, at));
  }

  #writeNumber(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value < 0x80 && !Object.is(value, -0))
      this.#out[this.#to++] = value;
    else if (Number.isInteger(value)) this.#write(this.#encoder.encodeSharedRef(value));
    else {
      this.#out[this.#to] = 0xcb;
      if (this.#to + 9 <= this.#out.length) this.#out.writeDoubleBE(value, this.#to + 1);
      this.#to += 9;
    }
  }

  #writeHead(at: number, seconds: number): void {
    const out = this.#out;
    out[at] = 0x92;
    out[at + 1] = 0xd7;
    out[at + 2] = 0;
    out[at + 3] = seconds >>> 24;
    out[at + 4] = seconds >>> 16;
    out[at + 5] = seconds >>> 8;
    out[at + 6] = seconds;
    out[at + 7] = 0;
    out[at + 8] = 0;
    out[at + 9] = 0;
    out[at + 10] = 0;
  }

  #write(bytes: Uint8Array): void {
    const out = this.#out;
    let to = this.#to;
    for (let at = 0; at < bytes.length; at += 1) out[to++] = bytes[at] ?? 0;
    this.#to = to;
  }

  #expect(text: Uint8Array): void {
    const bytes = this.#in;
    const from = this.#from;
    for (let at = 0; at < text.length; at += 1) if (bytes[from + at] !== text[at]) throw new Strange();
    this.#from = from + text.length;
  }
}
