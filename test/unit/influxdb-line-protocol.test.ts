import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeMetrics, PointForm } from '../../src/shared/points-document.js';
import { LineProtocol } from '../../src/workers/publisher/outputs/influxdb-line-protocol.js';

const VERSIONS = [1, 2, 3] as const;

interface LooseDocument {
  readonly measurement?: unknown;
  readonly timestamp?: unknown;
  readonly tags?: unknown;
  readonly fields?: unknown;
}

function linesOf(points: readonly LooseDocument[], version: 1 | 2 | 3 = 1, namespaceTag = '') {
  const document = Buffer.from(JSON.stringify({ database: 'd', points }));
  return new LineProtocol({ version, namespaceTag }).linesOf(document, 'web.shop');
}

function line(point: LooseDocument, version: 1 | 2 | 3 = 1, namespaceTag = ''): string | undefined {
  const whole = { measurement: 'm', timestamp: 1_700_000_000, tags: {}, fields: { value: 1 }, ...point };
  const { lines, unfitReason } = linesOf([whole], version, namespaceTag);
  return lines[0] ?? unfitReason;
}

test('the documents of the agent become a line a point, in their order', () => {
  const list = [
    { name: 'a', value: 1.5, timestamp: 1_700_000_000, tags: { core: '1' } },
    { name: 'b', value: true },
    { name: 'c', value: 'some text' },
  ];
  const settings = { database: 'd', measurementPrefix: 'PLUGIN.cpu.', host: 'h', maxBytes: 10_000 };
  const [document] = encodeMetrics(list, settings, 1_750_000_000).documents;
  const { lines, unfit } = new LineProtocol({ version: 1, namespaceTag: '' }).linesOf(
    Buffer.from(document?.text ?? ''),
    'web',
  );
  assert.equal(unfit, 0);
  assert.deepEqual(lines, [
    'PLUGIN.cpu.a,host=h,core=1 value=1.5 1700000000',
    'PLUGIN.cpu.b,host=h value=true 1750000000',
    'PLUGIN.cpu.c,host=h value="some text" 1750000000',
  ]);
});

test('a run metric has all its fields in one line', () => {
  const form = new PointForm({ database: 'd', host: 'h' }, 'plugin.cpu', { repo: 'https://x/y.git' });
  const fields = { value: 0, duration: 12.5, points: 3 };
  const { text } = form.encode(1_700_000_000, fields, ['status', 'ok']);
  assert.deepEqual(
    new LineProtocol({ version: 1, namespaceTag: 'ns' }).linesOf(Buffer.from(text), 'web').lines,
    ['plugin.cpu,ns=web,host=h,repo=https://x/y.git,status=ok value=0,duration=12.5,points=3 1700000000'],
  );
});

test('every number is a float, whole or not, small or large', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['0', '0'],
    ['5', '5'],
    ['5.0', '5'],
    ['-0', '-0'],
    ['-0.0', '-0'],
    ['0.1', '0.1'],
    ['9007199254740993', '9007199254740992'],
    ['12345678901234567890', '12345678901234567000'],
    ['1e300', '1e+300'],
    ['-1.7976931348623157e308', '-1.7976931348623157e+308'],
    ['5e-324', '5e-324'],
  ];
  for (const [json, expected] of cases) {
    const text = `{"points":[{"measurement":"m","timestamp":1700000000,"tags":{},"fields":{"v":${json}}}]}`;
    for (const version of VERSIONS) {
      assert.deepEqual(
        new LineProtocol({ version, namespaceTag: '' }).linesOf(Buffer.from(text), 'web').lines,
        [`m v=${expected} 1700000000`],
      );
    }
  }
});

test('texts in fields have quotes and backslashes escaped, and nothing else', () => {
  const text = 'a "b" \\ c\\\\, d=e\nnew line\r\ttab ü漢😀 \\';
  for (const version of VERSIONS) {
    assert.equal(
      line({ fields: { value: text } }, version),
      'm value="a \\"b\\" \\\\ c\\\\\\\\, d=e\nnew line\r\ttab ü漢😀 \\\\" 1700000000',
    );
    assert.equal(line({ fields: { value: '' } }, version), 'm value="" 1700000000');
  }
});

test('names and tags have commas, blanks and equals signs escaped', () => {
  for (const version of VERSIONS) {
    assert.equal(
      line({ measurement: 'a b,c=d"e', tags: { 'k 1,=': 'v 1,="' }, fields: { 'f 1,=': 2 } }, version),
      'a\\ b\\,c=d"e,k\\ 1\\,\\==v\\ 1\\,\\=" f\\ 1\\,\\==2 1700000000',
    );
  }
});

test('a backslash inside stays; version 3 reads two as one, so there it is doubled', () => {
  const point = { measurement: 'a\\b', tags: { 'k\\l': 'v\\\\w' }, fields: { 'f\\g': 1 } };
  assert.equal(line(point, 1), 'a\\b,k\\l=v\\\\w f\\g=1 1700000000');
  assert.equal(line(point, 2), line(point, 1));
  assert.equal(line(point, 3), 'a\\\\b,k\\\\l=v\\\\\\\\w f\\\\g=1 1700000000');
});

test('a backslash at an end would escape what comes behind it: it becomes a slash', () => {
  for (const version of VERSIONS) {
    assert.equal(
      line({ measurement: 'm\\', tags: { 'k\\': 'C:\\' }, fields: { 'f\\': 1 } }, version),
      'm/,k/=C:/ f/=1 1700000000',
    );
  }
  assert.equal(line({ tags: { a: 'x\\\\' } }, 1), 'm,a=x\\/ value=1 1700000000');
});

test('what ends lines or is skipped as a blank becomes "-" in names and tags', () => {
  for (const version of VERSIONS) {
    const point = { measurement: '\0m\n1', tags: { 'k\r': '\tv\n' }, fields: { '\0f\n': 1 } };
    assert.equal(line(point, version), '-m-1,k-=-v- -f-=1 1700000000');
    assert.equal(line({ measurement: '# no comment' }, version), '-\\ no\\ comment value=1 1700000000');
  }
});

test('empty tags are dropped', () => {
  assert.equal(line({ tags: { a: '', '': 'x', b: 'y' } }), 'm,b=y value=1 1700000000');
  assert.equal(line({ tags: null }), 'm value=1 1700000000');
});

test('names that InfluxDB keeps for itself get a "_"', () => {
  for (const version of VERSIONS) {
    assert.equal(
      line({ tags: { time: 'a', _field: 'b', _measurement: 'c' }, fields: { time: 1, value: 2 } }, version),
      version === 3
        ? 'm,time__=a,_field_=b,_measurement_=c time_=1,value=2 1700000000'
        : 'm,time_=a,_field_=b,_measurement_=c time_=1,value=2 1700000000',
    );
  }
});

test('no two tags get the same name, nor in version 3 a tag that of a field', () => {
  assert.equal(line({ tags: { time_: '1', time: '2' } }), 'm,time_=1,time__=2 value=1 1700000000');
  assert.equal(line({ tags: { 'a\n': '1', 'a-': '2' } }), 'm,a-=1,a-_=2 value=1 1700000000');
  assert.equal(line({ tags: { value: 'x' } }, 1), 'm,value=x value=1 1700000000');
  assert.equal(line({ tags: { value: 'x' } }, 3), 'm,value_=x value=1 1700000000');
});

test('the tag of the namespace stands first, and keeps its name', () => {
  assert.equal(line({ tags: { a: '1' } }, 1, 'ns'), 'm,ns=web.shop,a=1 value=1 1700000000');
  assert.equal(line({ tags: { ns: 'own' } }, 1, 'ns'), 'm,ns=web.shop,ns_=own value=1 1700000000');
});

test('a point that no line can be made of is counted, its neighbours are there', () => {
  const good = { measurement: 'm', timestamp: 1, tags: {}, fields: { value: 1 } };
  for (const [bad, reason] of [
    [{ ...good, measurement: '' }, 'a point has no measurement'],
    [{ ...good, timestamp: 1.5 }, 'a point has no timestamp in whole seconds'],
    [{ ...good, fields: {} }, 'a point has no fields'],
    [{ ...good, fields: { value: null } }, 'field "value" of a point is null'],
  ] as const) {
    assert.deepEqual(linesOf([good, bad, good]), {
      lines: ['m value=1 1', 'm value=1 1'],
      unfit: 1,
      unfitReason: reason,
    });
  }
  const tooLarge = Buffer.from('{"points":[{"measurement":"m","timestamp":1,"fields":{"v":1e999}}]}');
  const { unfitReason } = new LineProtocol({ version: 1, namespaceTag: '' }).linesOf(tooLarge, 'web');
  assert.equal(unfitReason, 'field "v" of a point is too large for a number');
});

test('what is no points document has no lines and says so', () => {
  for (const text of ['', '{"points":[{}', '[]', '{"points":{}}', 'null']) {
    const { lines, unfit, unfitReason } = new LineProtocol({ version: 1, namespaceTag: '' }).linesOf(
      Buffer.from(text),
      'web',
    );
    assert.deepEqual([lines, unfit], [[], 1]);
    assert.match(unfitReason ?? '', /^this is no points document: /);
  }
});
