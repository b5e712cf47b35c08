import { Encoder } from '@msgpack/msgpack';
import type { GoOutputSettings } from '../../shared/output-settings.js';
import type { FieldValue } from '../../shared/points-document.js';

/** Events that go to the plugin with one call. */
export interface EncodedEvents {
  readonly bytes: Buffer;
  readonly events: number;
}

/** How points become events. */
export interface EventForm {
  readonly namespace: string;
  readonly format: GoOutputSettings['format'];
}

/** A point, as `shared/points-document.ts` writes it. */
interface EncodedPoint {
  readonly measurement: string;
  readonly timestamp: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/** What one flush carries at most, as with Fluent Bit. Bytes. */
export const CHUNK_MOST_BYTES = 2_000_000;

/** An array of two, then extension type 0 of 8 bytes: seconds and nanoseconds follow. */
const EVENT_HEAD = 0x92d70000;
const EVENT_HEAD_BYTES = 11;

/** Makes msgpack events `[time, record]` of points documents. */
export class EventEncoder {
  readonly #encoder = new Encoder({ initialBufferSize: 64 * 1024 });

  /**
   * The events of points documents that stand in `body` one after another, in pieces that a flush takes.
   * @param skip events at the beginning that are left out
   * @throws Error when a document is none
   */
  encode(body: Buffer, documents: readonly number[], form: EventForm, skip: number): EncodedEvents[] {
    const pieces = new PieceWriter(Math.min(CHUNK_MOST_BYTES, body.length + body.length / 2 + 1024));
    let left = skip;
    let start = 0;
    for (const length of documents) {
      const document = JSON.parse(body.toString('utf8', start, start + length)) as {
        readonly points: EncodedPoint[];
      };
      start += length;
      for (const point of document.points) {
        if (left > 0) left -= 1;
        else pieces.add(point.timestamp, this.#encoder.encodeSharedRef(recordOf(point, form)));
      }
    }
    return pieces.finish();
  }
}

function recordOf({ measurement, fields, tags }: EncodedPoint, { namespace, format }: EventForm): object {
  if (format === 'flat') return { ...tags, measurement, ...fields, namespace };
  const { value } = fields;
  // Metrics have this one field; all points but those of the agent's own are metrics.
  if (value !== undefined && isSingle(fields)) return { measurement, value, namespace, tags };
  return { ...fields, measurement, namespace, tags };
}

function isSingle(fields: object): boolean {
  let count = 0;
  for (const _ in fields) count += 1;
  return count === 1;
}

/** Gathers events until a flush has no room for the next one. */
class PieceWriter {
  readonly #finished: EncodedEvents[] = [];
  #buffer: Buffer;
  #length = 0;
  #events = 0;

  constructor(expectedBytes: number) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.ceil(expectedBytes));
  }

  add(timestamp: number, record: Uint8Array): void {
    const bytes = EVENT_HEAD_BYTES + record.length;
    if (this.#length + bytes > this.#buffer.length) this.#makeRoom(bytes);
    const buffer = this.#buffer;
    const at = this.#length;
    buffer.writeUInt32BE(EVENT_HEAD, at);
    buffer.writeUInt32BE(timestamp, at + 3);
    buffer.writeUInt32BE(0, at + 7);
    buffer.set(record, at + EVENT_HEAD_BYTES);
    this.#length += bytes;
    this.#events += 1;
  }

  finish(): EncodedEvents[] {
    this.#end();
    return this.#finished;
  }

  #makeRoom(bytes: number): void {
    if (this.#length + bytes > CHUNK_MOST_BYTES && this.#events > 0) {
      this.#end();
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(CHUNK_MOST_BYTES, bytes));
      return;
    }
    const larger = Buffer.allocUnsafeSlow(
      Math.max(this.#length + bytes, Math.min(CHUNK_MOST_BYTES, 2 * this.#buffer.length)),
    );
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  #end(): void {
    if (this.#events === 0) return;
    this.#finished.push({ bytes: this.#buffer.subarray(0, this.#length), events: this.#events });
    this.#length = 0;
    this.#events = 0;
  }
}
