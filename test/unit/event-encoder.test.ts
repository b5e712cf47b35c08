import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMulti, ExtData, encode } from '@msgpack/msgpack';
import { encodeMetrics, type FieldValue, PointForm } from '../../src/shared/points-document.js';
import { EventEncoder } from '../../src/workers/output-host/event-encoder.js';
import type { EventForm } from '../../src/workers/output-host/event-form.js';
import { pseudoRandom } from '../support/ring-traffic.js';

interface Point {
  readonly measurement: string;
  readonly timestamp: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

const FORMS = ['nested', 'flat'] as const;
const NAMESPACE = 'web.shop';

function document(metrics: readonly object[]): Buffer {
  const settings = { database: NAMESPACE, measurementPrefix: 'PLUGIN.', host: 'db1', maxBytes: 2 ** 24 };
  const [found] = encodeMetrics(metrics, settings, 1_700_000_000).documents;
  return Buffer.from(found?.text ?? '');
}

/** What the encoder of the library makes of them, one by one. */
function expected(documents: readonly Buffer[], { namespace, format }: EventForm): Buffer {
  const points = documents.flatMap((text): Point[] => JSON.parse(text.toString()).points);
  const events = points.map(({ measurement, timestamp, tags, fields }) => {
    const time = Buffer.alloc(8);
    time.writeUInt32BE(timestamp);
    const own = { measurement, namespace };
    const record = format === 'nested' ? { ...own, tags, ...fields } : { ...own, ...tags, ...fields, ...own };
    return encode([new ExtData(0, new Uint8Array(time)), record]);
  });
  return Buffer.concat(events);
}

function encoded(documents: readonly Buffer[], form: EventForm, skip = 0) {
  const lengths = documents.map(({ length }) => length);
  return new EventEncoder().encode(Buffer.concat(documents), lengths, form, skip);
}

function checkBoth(documents: readonly Buffer[]): void {
  for (const format of FORMS) {
    const form = { namespace: NAMESPACE, format };
    const pieces = encoded(documents, form);
    assert.deepEqual(Buffer.concat(pieces.map(({ bytes }) => bytes)), expected(documents, form));
  }
}

test('events are byte for byte what the msgpack library makes of the points, whatever stands in them', () => {
  const random = pseudoRandom(20_261_124);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const texts = [
    '',
    'a',
    'ü 日本 😀',
    'with "quotes"',
    'back\\slash',
    'line\nend',
    '\ud800',
    'x'.repeat(31),
    'x'.repeat(32),
    'y'.repeat(255),
    'y'.repeat(256),
    'z'.repeat(66_000),
    '"points":[',
    '}}',
    '{"measurement":"',
  ];
  const numbers = [
    0,
    -0,
    1,
    -1,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53,
    -128,
    -129,
    -(2 ** 31),
    -(2 ** 53),
    1e21,
    1e-7,
    0.1,
    1234567.875,
    Number.MAX_VALUE,
    5e-324,
  ];
  const keys = [
    'host',
    'role',
    'measurement',
    'namespace',
    'value',
    'tags',
    'k'.repeat(40),
    '__proto__',
    'ü',
  ];
  for (let round = 0; round < 300; round += 1) {
    const metrics = Array.from({ length: Math.floor(random() * 6) }, () => ({
      name: pick(['cpu', 'a'.repeat(40), 'b'.repeat(300), 'x.y-z_1']),
      timestamp:
        pick([1_000_000_000, 1_700_000_000, 4_294_967_295, 4_294_967_296, 9_999_999_999]) % 4_294_967_296 ||
        1_700_000_000,
      value: pick<FieldValue>([
        ...numbers,
        ...texts,
        true,
        false,
        random() * 1e6,
        Math.floor(random() * 1e6),
      ]),
      tags: Object.fromEntries(
        Array.from({ length: Math.floor(random() ** 3 * 20) }, () => [
          pick([...keys, `tag${Math.floor(random() * 30)}`]),
          pick(texts),
        ]),
      ),
    }));
    const run = new PointForm({ database: NAMESPACE, host: 'db1' }, 'plugin.load', { repo: 'x' }).encode(
      1_700_000_000,
      { value: 0, duration: 1.5, points: 3 },
    );
    const documents = [
      document(metrics),
      ...(random() < 0.2 ? [Buffer.from(run.text)] : []),
      document([...metrics].reverse()),
    ];
    checkBoth(documents.filter(({ length }) => length > 0));
  }
});

test('numbers keep their value, with any number of digits before and behind the point', () => {
  const random = pseudoRandom(20_261_127);
  const metrics = Array.from({ length: 5000 }, () => {
    const digits = Math.floor(random() * 18);
    const decimals = Math.floor(random() * 18);
    const sign = random() < 0.5 ? -1 : 1;
    return { name: 'm', value: sign * Number((random() * 10 ** digits).toFixed(decimals)) };
  });
  checkBoth([document(metrics)]);
});

test('texts of any length come over whole, wherever they stand', () => {
  const metrics = Array.from({ length: 300 }, (_, length) => ({
    name: 'n'.repeat(1 + (length % 40)),
    value: 'v'.repeat(length),
    tags: { ['k'.repeat(1 + (length % 7))]: `t${'ü'.repeat(length % 11)}` },
  }));
  checkBoth([document(metrics)]);
  // Each alone, so that nothing follows it.
  for (const metric of metrics) checkBoth([document([metric])]);
});

test('what is skipped is left out, wherever it ends', () => {
  const metrics = Array.from({ length: 5 }, (_, value) => ({ name: 'm', value }));
  const documents = [document(metrics), document([]), document(metrics)].filter(({ length }) => length > 0);
  for (let skip = 0; skip <= 10; skip += 1) {
    const pieces = encoded(documents, { namespace: NAMESPACE, format: 'nested' }, skip);
    const values = pieces
      .flatMap(({ bytes }) => [...decodeMulti(bytes)])
      .map((event) => (event as [unknown, { value: number }])[1].value);
    assert.deepEqual(values, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4].slice(skip));
  }
});

test('pieces have at most 2 MB and are cut between events', () => {
  const metrics = Array.from({ length: 60 }, (_, n) => ({
    name: 'm',
    value: `${n} ${'x'.repeat(100_000 + n)}`,
  }));
  const pieces = encoded([document(metrics)], { namespace: NAMESPACE, format: 'nested' });
  assert.ok(pieces.length >= 4);
  const events = pieces.flatMap(({ bytes, events }) => {
    assert.ok(bytes.length <= 2_000_000);
    const found = [...decodeMulti(bytes)];
    assert.equal(found.length, events);
    return found;
  });
  assert.equal(events.length, 60);
});

test('a long namespace with many small points finds its room', () => {
  const metrics = Array.from({ length: 3000 }, () => ({ name: 'm', value: 1.5 }));
  const form = { namespace: `n.${'s'.repeat(60)}`, format: 'nested' } as const;
  const documents = [document(metrics)];
  assert.deepEqual(
    Buffer.concat(encoded(documents, form).map(({ bytes }) => bytes)),
    expected(documents, form),
  );
});

test('what is no points document is an error', () => {
  assert.throws(() => encoded([Buffer.from('nonsense')], { namespace: NAMESPACE, format: 'nested' }));
});
