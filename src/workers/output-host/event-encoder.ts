import { Encoder } from '@msgpack/msgpack';
import type { FieldValue } from '../../shared/points-document.js';
import { type EncodedEvents, EventBuffer } from './event-buffer.js';
import type { EventForm } from './event-form.js';
import { MetricTranscoder } from './metric-transcoder.js';

/** A point, as `shared/points-document.ts` writes it. */
interface EncodedPoint {
  readonly measurement: string;
  readonly timestamp: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/** An array of two, then extension type 0 of 8 bytes, in which seconds and nanoseconds follow. */
const EVENT_HEAD = 0x92d70000;
const EVENT_HEAD_BYTES = 11;

/** The shortest point as JSON, roughly; each has the namespace as an event. Bytes. */
const POINT_LEAST_BYTES = 70;

/** Makes msgpack events `[time, record]` of points documents. */
export class EventEncoder {
  readonly #encoder = new Encoder({ initialBufferSize: 64 * 1024 });

  /**
   * The events of points documents that stand in `body` one after another, in pieces that a flush takes.
   * @param skip events at the beginning that are left out
   * @throws Error when a document is none
   */
  encode(
    body: Buffer,
    documents: readonly number[],
    form: EventForm,
    skip: number,
  ): readonly EncodedEvents[] {
    const namespaceBytes = Math.ceil(body.length / POINT_LEAST_BYTES) * (form.namespace.length + 2);
    const events = new EventBuffer(body.length + namespaceBytes + 64);
    const transcoder = new MetricTranscoder(this.#encoder, form);
    let left = skip;
    let start = 0;
    for (const length of documents) {
      const end = start + length;
      // Documents of plain metrics, nearly all of them, take the short way.
      const from = left === 0 ? transcoder.transcode(body, start, end, events) : undefined;
      if (from !== 'all')
        left = this.#encodeRest(body.toString('utf8', start, end), form, events, left + (from ?? 0));
      start = end;
    }
    return events.pieces();
  }

  /** @returns how many events are still to be skipped */
  #encodeRest(text: string, form: EventForm, events: EventBuffer, skip: number): number {
    const { points } = JSON.parse(text) as { readonly points: readonly EncodedPoint[] };
    for (const point of points.slice(skip)) {
      const record = this.#encoder.encodeSharedRef(recordOf(point, form));
      events.ensure(EVENT_HEAD_BYTES + record.length);
      const { bytes, length: at } = events;
      bytes.writeUInt32BE(EVENT_HEAD, at);
      bytes.writeUInt32BE(point.timestamp, at + 3);
      bytes.writeUInt32BE(0, at + 7);
      bytes.set(record, at + EVENT_HEAD_BYTES);
      events.add(at + EVENT_HEAD_BYTES + record.length);
    }
    return Math.max(0, skip - points.length);
  }
}

function recordOf({ measurement, fields, tags }: EncodedPoint, { namespace, format }: EventForm): object {
  const own = { measurement, namespace };
  if (format === 'nested') return { ...own, tags, ...fields };
  // Keys keep the place where they were first.
  return { ...own, ...tags, ...fields, ...own };
}
