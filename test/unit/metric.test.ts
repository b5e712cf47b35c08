import assert from 'node:assert/strict';
import test from 'node:test';
import { cleanTags, metricProblem, timestampSeconds } from '../../src/shared/metric.js';

const NOW = 1_750_000_000;

test('a metric needs a name and a value only', () => {
  assert.equal(metricProblem({ name: 'a', value: 1 }), undefined);
  assert.equal(metricProblem({ name: 'a', value: 1, timestamp: null, tags: null }), undefined);
  assert.equal(metricProblem({ name: 'a', value: 1, more: { is: ['ignored'] } }), undefined);
});

test('a name is made of letters, digits, "-", "_" and "."', () => {
  for (const name of ['a', 'A.b-c_9', '-', '.', '0']) {
    assert.equal(metricProblem({ name, value: 1 }), undefined, name);
  }
  for (const name of ['', 'a b', 'a\n', 'ä', 'a/b', 'a:b', 'a"', '\u0000']) {
    assert.match(metricProblem({ name, value: 1 }) ?? '', /^name /, JSON.stringify(name));
  }
  assert.equal(metricProblem({ value: 1 }), 'name is missing');
  assert.equal(metricProblem({ name: 5, value: 1 }), 'name is a number, not a string');
  assert.match(metricProblem({ name: 'x'.repeat(513), value: 1 }) ?? '', /longer than 512/);
});

test('a value is a number, boolean or string', () => {
  for (const value of [0, -0, 1.5, -1e300, true, false, '', 'text']) {
    assert.equal(metricProblem({ name: 'a', value }), undefined, String(value));
  }
  assert.equal(metricProblem({ name: 'a' }), 'value is missing');
  for (const [value, kind] of [
    [null, 'null'],
    [[1], 'a list'],
    [{}, 'an object'],
  ]) {
    assert.equal(metricProblem({ name: 'a', value }), `value is ${kind}, not a number, boolean or string`);
  }
  assert.equal(metricProblem(JSON.parse('{"name":"a","value":1e999}')), 'value is too large for a number');
});

test('a timestamp is a whole number', () => {
  for (const timestamp of [0, -5, NOW, NOW * 1000, 1e300]) {
    assert.equal(metricProblem({ name: 'a', value: 1, timestamp }), undefined, String(timestamp));
  }
  assert.match(metricProblem({ name: 'a', value: 1, timestamp: 1.5 }) ?? '', /1\.5 is not a whole number/);
  assert.match(metricProblem({ name: 'a', value: 1, timestamp: '5' }) ?? '', /is a string, not an integer/);
});

test('a timestamp that is 0, missing or not in seconds means now', () => {
  for (const timestamp of [undefined, null, 0, -1, 999_999_999, 1e10, NOW * 1000]) {
    assert.equal(timestampSeconds(timestamp, NOW), NOW, String(timestamp));
  }
  for (const timestamp of [1e9, 1_234_567_890, 9_999_999_999]) {
    assert.equal(timestampSeconds(timestamp, NOW), timestamp);
  }
});

test('tags are an object of strings', () => {
  const withTags = (tags: unknown) => metricProblem({ name: 'a', value: 1, tags });
  assert.equal(withTags({}), undefined);
  assert.equal(withTags({ a: '', '': 'b', ä: '\u0000' }), undefined);
  assert.equal(withTags([]), 'tags is a list, not an object of strings');
  assert.equal(withTags('a=b'), 'tags is a string, not an object of strings');
  assert.equal(withTags({ a: 1 }), 'tag "a" is a number, not a string');
  assert.equal(withTags({ a: null }), 'tag "a" is null, not a string');
  assert.equal(withTags(JSON.parse('{"__proto__":{}}')), 'tag "__proto__" is an object, not a string');
});

test('whatever is no object is no metric', () => {
  for (const candidate of [null, 5, 'a', true, [], [{ name: 'a', value: 1 }]]) {
    assert.match(metricProblem(candidate) ?? '', /^a metric is an object, this is /);
  }
});

test('names from the prototype of all objects do not count as given', () => {
  assert.equal(metricProblem(JSON.parse('{"__proto__":{"name":"a","value":1}}')), 'name is missing');
});

test('tags are trimmed, blanks inside become "-", empty ones are dropped', () => {
  assert.deepEqual(
    { ...cleanTags({ ' a ': ' b ', 'c d': 'e  f\tg', empty: '', blank: ' \n', ' ': 'nameless', '': 'too' }) },
    { a: 'b', 'c-d': 'e--f-g' },
  );
  assert.deepEqual({ ...cleanTags(undefined) }, {});
  assert.deepEqual({ ...cleanTags(null) }, {});
});

test('clean tags come back as they are', () => {
  const tags = { a: 'b', c: 'd' };
  assert.equal(cleanTags(tags), tags);
});

test('a tag of the name __proto__ is a tag like any other', () => {
  const tags = JSON.parse('{"__proto__":" x ","constructor":"y"}');
  assert.equal(JSON.stringify(cleanTags(tags)), '{"__proto__":"x","constructor":"y"}');
});

test('long offending texts are cut in the reason', () => {
  const reason = metricProblem({ name: `${'x'.repeat(400)} `, value: 1 }) ?? '';
  assert.ok(reason.length < 200, reason);
});
