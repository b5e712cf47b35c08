import assert from 'node:assert/strict';
import test from 'node:test';
import { encodePost } from '../../src/shared/post-body.js';

const SETTINGS = { database: 'web', measurementPrefix: '', host: 'h', maxBytes: 300_000 };

test('a posted list becomes documents', () => {
  const encoded = encodePost(Buffer.from('\ufeff [{"name":"a","value":1}]\n'), SETTINGS);
  assert.ok(encoded.type === 'encoded');
  assert.equal(encoded.points, 1);
  assert.equal(JSON.parse(encoded.documents[0]?.text ?? '').points[0].measurement, 'a');
});

test('a view into a larger buffer is read within its bounds', () => {
  const whole = Buffer.from('xxx[]yyy');
  assert.equal(encodePost(new Uint8Array(whole.buffer, whole.byteOffset + 3, 2), SETTINGS).type, 'encoded');
});

test('the first bad metric refuses the whole', () => {
  assert.deepEqual(encodePost(Buffer.from('[{"name":"a","value":1},7,{}]'), SETTINGS), {
    type: 'bad-metric',
    bad: { index: 1, reason: 'a metric is an object, this is a number' },
  });
});

test('what is no JSON list is refused, with a reason without control characters', () => {
  for (const body of ['', ' \n', 'null', '"a"', '{}', '[', '[1,]', '\u001b[31m', '[NaN]', "['a']"]) {
    const encoded = encodePost(Buffer.from(body), SETTINGS);
    assert.equal(encoded.type, 'not-json', body);
    assert.match(encoded.type === 'not-json' ? encoded.reason : '', /^the body is [^\p{Cc}]+$/u);
  }
});

test('half a character at the end is no text', () => {
  const encoded = encodePost(Buffer.from('["ü"]').subarray(0, 3), SETTINGS);
  assert.deepEqual(encoded, { type: 'not-json', reason: 'the body is not UTF-8 text' });
});
