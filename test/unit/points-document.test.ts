import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeMetrics, PointForm, type PointsDocument } from '../../src/shared/points-document.js';

const NOW = 1_750_000_000;
const SETTINGS = {
  database: 'web.front',
  measurementPrefix: 'PLUGIN.cpu.',
  host: 'testhost',
  maxBytes: 300_000,
};

test('a document has the database, the default retention policy, precision s and the points', () => {
  const { documents, points, badCount } = encodeMetrics(
    [
      { name: 'a', timestamp: 1_700_000_000, tags: { core: '1' }, value: 1.5 },
      { name: 'b', value: false },
      { name: 'c', value: 'text', timestamp: 0, tags: { host: 'other' } },
    ],
    SETTINGS,
    NOW,
  );
  assert.deepEqual([documents.length, points, badCount], [1, 3, 0]);
  assert.deepEqual(JSON.parse(documents[0]?.text ?? ''), {
    database: 'web.front',
    retentionPolicy: 'default',
    precision: 's',
    points: [
      {
        measurement: 'PLUGIN.cpu.a',
        timestamp: 1_700_000_000,
        tags: { host: 'testhost', core: '1' },
        fields: { value: 1.5 },
      },
      { measurement: 'PLUGIN.cpu.b', timestamp: NOW, tags: { host: 'testhost' }, fields: { value: false } },
      { measurement: 'PLUGIN.cpu.c', timestamp: NOW, tags: { host: 'other' }, fields: { value: 'text' } },
    ],
  });
});

test('an empty host tag gives way to the real host', () => {
  const { documents } = encodeMetrics([{ name: 'a', value: 1, tags: { host: ' ' } }], SETTINGS, NOW);
  assert.deepEqual(pointsOf(documents)[0]?.tags, { host: 'testhost' });
});

test('every text survives: quotes, backslashes, control characters, other scripts, lone surrogates', () => {
  const text = 'q"b\\c\n\t\u0000\u001f\u007f\u2028ü漢😀\ud800';
  const list = [{ name: 'a', value: text, tags: { 'k"\\\u0001ü😀': 'v"\\\u0001ü😀' } }];
  const { documents } = encodeMetrics(list, { ...SETTINGS, database: 'd"', host: 'h\\' }, NOW);
  const [document] = documents;
  assert.ok(document);
  assert.equal(document.bytes, Buffer.byteLength(document.text));
  const throughBytes = JSON.parse(Buffer.from(document.text).toString('utf8'));
  assert.equal(throughBytes.database, 'd"');
  assert.equal(throughBytes.points[0].fields.value, text);
  assert.deepEqual(throughBytes.points[0].tags, { host: 'h\\', 'k"\\\u0001ü😀': 'v"\\\u0001ü😀' });
});

test('numbers of all sizes are JSON numbers', () => {
  const values = [0, -0, 1e21, -1e-7, Number.MAX_VALUE, Number.MIN_VALUE, 2 ** 53];
  const { documents } = encodeMetrics(
    values.map((value) => ({ name: 'a', value })),
    SETTINGS,
    NOW,
  );
  assert.deepEqual(
    pointsOf(documents).map((point) => point.fields.value),
    values.map((value) => value + 0),
  );
});

test('a tag of the name __proto__ arrives as a tag', () => {
  const list = JSON.parse('[{"name":"a","value":1,"tags":{"__proto__":"p","toString":" t "}}]');
  const { documents } = encodeMetrics(list, SETTINGS, NOW);
  assert.match(documents[0]?.text ?? '', /"tags":\{"host":"testhost","__proto__":"p","toString":"t"\}/);
});

test('documents end at the byte bound, whatever the script, and no point is lost', () => {
  for (const value of ['x'.repeat(50), 'ü'.repeat(50), '漢'.repeat(50), '😀'.repeat(25)]) {
    for (const maxBytes of [400, 401, 402, 403, 1000, 4096]) {
      const list = Array.from({ length: 57 }, (_, n) => ({ name: `m${n}`, value }));
      const { documents, points } = encodeMetrics(list, { ...SETTINGS, maxBytes }, NOW);
      for (const document of documents) {
        assert.ok(document.bytes <= maxBytes, `${document.bytes} > ${maxBytes}`);
        assert.equal(document.bytes, Buffer.byteLength(document.text));
        assert.equal(JSON.parse(document.text).points.length, document.points);
      }
      assert.equal(points, 57);
      assert.deepEqual(
        pointsOf(documents).map((point) => point.measurement),
        list.map(({ name }) => `PLUGIN.cpu.${name}`),
      );
    }
  }
});

test('a document is filled to the last byte before the next one starts', () => {
  const list = Array.from({ length: 3 }, () => ({ name: 'a', value: 1 }));
  const whole = encodeMetrics(list, SETTINGS, NOW).documents[0]?.bytes ?? 0;
  assert.equal(encodeMetrics(list, { ...SETTINGS, maxBytes: whole }, NOW).documents.length, 1);
  assert.equal(encodeMetrics(list, { ...SETTINGS, maxBytes: whole - 1 }, NOW).documents.length, 2);
});

test('a point that fits no document is a bad metric, its neighbours go out', () => {
  const list = [
    { name: 'a', value: 1 },
    { name: 'b', value: 'ü'.repeat(200_000) },
    { name: 'c', value: 1 },
  ];
  const { documents, points, bad } = encodeMetrics(list, { ...SETTINGS, maxBytes: 1_000_000 }, NOW);
  assert.deepEqual(
    pointsOf(documents).map((point) => point.measurement),
    ['PLUGIN.cpu.a', 'PLUGIN.cpu.c'],
  );
  assert.equal(points, 2);
  assert.deepEqual(bad, [{ index: 1, reason: 'its point is longer than 262144 bytes' }]);

  const small = encodeMetrics([{ name: 'b', value: 'x'.repeat(1000) }], { ...SETTINGS, maxBytes: 800 }, NOW);
  assert.deepEqual([small.documents.length, small.badCount], [0, 1]);
});

test('bad metrics are all counted, the first ones named', () => {
  const { points, bad, badCount } = encodeMetrics(
    Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? { name: 'a', value: n } : n)),
    SETTINGS,
    NOW,
  );
  assert.deepEqual([points, badCount], [50, 50]);
  assert.deepEqual(bad[0], { index: 1, reason: 'a metric is an object, this is a number' });
  assert.ok(bad.length < 50);
});

test('an empty list makes no document', () => {
  assert.deepEqual(encodeMetrics([], SETTINGS, NOW), { documents: [], points: 0, bad: [], badCount: 0 });
});

test('a point of the agent has all its fields, and its host', () => {
  const point = {
    measurement: 'plugin.cpu',
    timestamp: NOW,
    tags: { host: 'h', repo: 'https://x/y-z', status: 'ok' },
    fields: { value: 0, duration: 12.5, note: 'a"b' },
  };
  const form = new PointForm({ database: 'web', host: 'h' }, 'plugin.cpu', {
    repo: 'https://x/y z',
    none: '',
  });
  const document = form.encode(NOW, point.fields, ['status', 'ok']);
  assert.deepEqual([document.points, document.bytes], [1, Buffer.byteLength(document.text)]);
  assert.deepEqual(JSON.parse(document.text), {
    database: 'web',
    retentionPolicy: 'default',
    precision: 's',
    points: [point],
  });
});

interface Point {
  readonly measurement: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: { readonly value: unknown };
}

function pointsOf(documents: readonly PointsDocument[]): Point[] {
  return documents.flatMap((document): Point[] => JSON.parse(document.text).points);
}
