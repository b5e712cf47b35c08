import type { Encoder } from '@msgpack/msgpack';
import type { EventBuffer } from './event-buffer.js';
import type { EventForm } from './event-form.js';
import { BACKSLASHES, FixedBytes, hasZeroByte, QUOTES, viewOf, WORD_BYTES } from './four-bytes.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** What stands between the changing parts of a point, as `shared/points-document.ts` writes it. */
const POINTS = '"points":[';
const BEFORE_MEASUREMENT = new FixedBytes(Buffer.from('{"measurement":"'));
const BEFORE_TIMESTAMP = new FixedBytes(Buffer.from(',"timestamp":'));
const BEFORE_TAGS = new FixedBytes(Buffer.from(',"tags":{'));
const BEFORE_VALUE = new FixedBytes(Buffer.from(',"fields":{"value":'));

/** Keys of a record that a tag beside them must not hide. */
const RESERVED = ['measurement', 'namespace', 'value'].map((key) => Buffer.from(key));

/** Of a map that is written here; larger ones take the long way. */
const MAP_MOST = 15;

/** Whole numbers of so many digits are exact, and so is the quotient of such a number and a power of ten up to 10^15. */
const DIGITS_MOST = 15;
const POWERS_OF_TEN = Array.from({ length: DIGITS_MOST + 1 }, (_, power) => 10 ** power);

/** What an event begins with: its time. */
const EVENT_HEAD_BYTES = 11;

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
  readonly #head: FixedBytes;
  readonly #namespace: FixedBytes;
  readonly #tags: FixedBytes;
  readonly #value: FixedBytes;
  #in: Buffer = Buffer.alloc(0);
  #out: Buffer = Buffer.alloc(0);
  /** The same bytes, for four at a time. */
  #inView: DataView = viewOf(this.#in);
  #outView: DataView = viewOf(this.#out);
  /** Next bytes in input and output. */
  #from = 0;
  #to = 0;

  constructor(encoder: Encoder, { namespace, format }: EventForm) {
    this.#encoder = encoder;
    this.#isFlat = format === 'flat';
    this.#head = new FixedBytes(Buffer.concat([Buffer.from([0x84]), encoder.encode('measurement')]));
    this.#namespace = new FixedBytes(Buffer.concat([encoder.encode('namespace'), encoder.encode(namespace)]));
    this.#tags = new FixedBytes(encoder.encode('tags'));
    this.#value = new FixedBytes(encoder.encode('value'));
  }

  /**
   * Appends the events of the document that stands in `body` from `start` to `end`.
   * @returns `all`, or how many of its points were appended before a strange one
   */
  transcode(body: Buffer, start: number, end: number, events: EventBuffer): 'all' | number {
    const points = body.indexOf(POINTS, start, 'latin1');
    if (points < 0 || points >= end) return 0;
    this.#in = body;
    this.#inView = viewOf(body);
    this.#from = points + POINTS.length;
    let count = 0;
    try {
      for (;;) {
        this.#writeInto(events.bytes, events.length);
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

  #writeInto(bytes: Buffer, from: number): void {
    if (bytes !== this.#out) {
      this.#out = bytes;
      this.#outView = viewOf(bytes);
    }
    this.#to = from;
  }

  #point(): void {
    this.#expect(BEFORE_MEASUREMENT);
    const timeAt = this.#to;
    this.#to += EVENT_HEAD_BYTES;
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
    for (const key of RESERVED) {
      if (key.length !== end - keyAt || key[0] !== this.#in[keyAt]) continue;
      if (key.equals(this.#in.subarray(keyAt, end))) return true;
    }
    return false;
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
    const start = this.#from;
    const end = this.#textEnd(start);
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
    this.#to = to + length;
    this.#copy(start, end, to);
  }

  /** Where the quote is, four bytes at a time as long as there are. */
  #textEnd(start: number): number {
    const bytes = this.#in;
    const view = this.#inView;
    const last = bytes.length - WORD_BYTES;
    let at = start;
    while (at <= last) {
      const word = view.getInt32(at, true);
      if (hasZeroByte(word ^ QUOTES) || hasZeroByte(word ^ BACKSLASHES)) break;
      at += WORD_BYTES;
    }
    for (let byte = bytes[at]; byte !== QUOTE; byte = bytes[at]) {
      if (byte === BACKSLASH || byte === undefined) throw new Strange();
      at += 1;
    }
    return at;
  }

  /** Four bytes at a time where both sides have room: the few too many are overwritten by what follows. */
  #copy(start: number, end: number, target: number): void {
    const bytes = this.#in;
    const out = this.#out;
    let to = target;
    if (end + WORD_BYTES > bytes.length || to + end - start + WORD_BYTES > out.length) {
      for (let at = start; at < end; at += 1) out[to++] = bytes[at] ?? 0;
      return;
    }
    const from = this.#inView;
    const into = this.#outView;
    for (let at = start; at < end; at += WORD_BYTES) {
      into.setInt32(to, from.getInt32(at, true), true);
      to += WORD_BYTES;
    }
  }

  #number(): number {
    const bytes = this.#in;
    const start = this.#from;
    const isNegative = bytes[start] === MINUS;
    const first = isNegative ? start + 1 : start;
    let at = first;
    let digits = 0;
    for (let digit = (bytes[at] ?? 0) - ZERO; digit >= 0 && digit <= 9; digit = (bytes[at] ?? 0) - ZERO) {
      digits = digits * 10 + digit;
      at += 1;
    }
    let size = at - first;
    let decimals = 0;
    if (bytes[at] === POINT && size > 0) {
      const point = at;
      at += 1;
      for (let digit = (bytes[at] ?? 0) - ZERO; digit >= 0 && digit <= 9; digit = (bytes[at] ?? 0) - ZERO) {
        digits = digits * 10 + digit;
        at += 1;
      }
      decimals = at - point - 1;
      size += decimals;
    }
    const next = bytes[at];
    const isShort = size > 0 && size <= DIGITS_MOST && (next === COMMA || next === CLOSE);
    if (!isShort || (isNegative && digits === 0)) return this.#longNumber(start);
    this.#from = at;
    const value = decimals === 0 ? digits : digits / (POWERS_OF_TEN[decimals] ?? 1);
    return isNegative ? -value : value;
  }

  /** Exponents, many digits, and zero with a sign. */
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
    if (Number.isInteger(value)) this.#writeInteger(value);
    else this.#writeDouble(value);
  }

  #writeDouble(value: number): void {
    const end = this.#to + 9;
    if (end <= this.#out.length) {
      this.#out[this.#to] = 0xcb;
      this.#outView.setFloat64(this.#to + 1, value);
    }
    this.#to = end;
  }

  #writeInteger(value: number): void {
    const out = this.#out;
    let to = this.#to;
    if (value < 0 || value >= 0x100000000 || Object.is(value, -0)) {
      this.#writeRare(this.#encoder.encodeSharedRef(value));
      return;
    }
    if (value < 0x80) {
      out[to++] = value;
    } else if (value < 0x100) {
      out[to++] = 0xcc;
      out[to++] = value;
    } else if (value < 0x10000) {
      out[to++] = 0xcd;
      out[to++] = value >>> 8;
      out[to++] = value;
    } else {
      out[to++] = 0xce;
      out[to++] = value >>> 24;
      out[to++] = value >>> 16;
      out[to++] = value >>> 8;
      out[to++] = value;
    }
    this.#to = to;
  }

  #writeRare(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 1) this.#out[this.#to++] = bytes[at] ?? 0;
  }

  #writeHead(at: number, seconds: number): void {
    if (at + EVENT_HEAD_BYTES > this.#out.length) return;
    const view = this.#outView;
    // An array of two, then extension type 0 of 8 bytes.
    view.setUint32(at, 0x92d70000);
    view.setUint32(at + 3, seconds);
    view.setUint32(at + 7, 0);
  }

  #write(fixed: FixedBytes): void {
    if (this.#to + fixed.length <= this.#out.length) fixed.writeTo(this.#outView, this.#to);
    this.#to += fixed.length;
  }

  #expect(fixed: FixedBytes): void {
    if (this.#from + fixed.length > this.#in.length || !fixed.isAt(this.#inView, this.#from))
      throw new Strange();
    this.#from += fixed.length;
  }
}
