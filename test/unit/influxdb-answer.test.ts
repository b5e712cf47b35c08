import assert from 'node:assert/strict';
import test from 'node:test';
import { verdictOf, type WriteAnswer } from '../../src/workers/publisher/outputs/influxdb-answer.js';

const NOW = Date.parse('2030-01-01T00:00:00Z');

function verdict(status: number, body: unknown = '', headers: WriteAnswer['headers'] = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return verdictOf({ status, body: text, headers }, NOW);
}

test('any success means that the points are written, but for a page of something else', () => {
  for (const status of [200, 204]) assert.deepEqual(verdict(status), { kind: 'written' });
  const page = verdict(200, '<!doctype html><title>Welcome</title>', { 'content-type': 'text/html' });
  assert.equal(page.kind, 'failed');
  assert.match(page.kind === 'failed' ? page.reason : '', /is not InfluxDB; check url and version/);
});

test('points at fault are refused with what the server says, whatever its version', () => {
  const cases: readonly (readonly [number, unknown, string, boolean])[] = [
    [
      400,
      { error: "unable to parse 'x': missing fields" },
      "unable to parse 'x': missing fields (status 400)",
      false,
    ],
    [
      400,
      { error: 'partial write: points beyond retention policy dropped=1' },
      'partial write: points beyond retention policy dropped=1 (status 400)',
      true,
    ],
    [400, { code: 'invalid', message: "unable to parse 'x'" }, "unable to parse 'x' (status 400)", false],
    [
      422,
      {
        code: 'unprocessable entity',
        message: 'failure writing points to database: partial write: field type',
      },
      'failure writing points to database: partial write: field type (status 422)',
      true,
    ],
    [
      400,
      {
        error: 'partial write of line protocol occurred',
        data: [{ original_line: 'cpu', line_number: 2, error_message: 'invalid column type' }],
      },
      'partial write of line protocol occurred: invalid column type (status 400)',
      true,
    ],
    [
      400,
      { error: 'parsing failed for write_lp endpoint', data: { error_message: 'No fields were provided' } },
      'parsing failed for write_lp endpoint: No fields were provided (status 400)',
      false,
    ],
  ];
  for (const [status, body, reason, isPartial] of cases) {
    assert.deepEqual(verdict(status, body), { kind: 'refused', reason, isPartial });
  }
});

test('a refusal that is too long to be read whole is one all the same', () => {
  const headers = { 'x-influxdb-version': '1.8.10', 'x-influxdb-error': 'unable to parse' };
  const cut = verdict(400, `{"error":"unable to parse '${'x'.repeat(2000)}`, headers);
  assert.deepEqual(cut, { kind: 'refused', reason: 'unable to parse (status 400)', isPartial: false });
  const long = verdict(400, { error: `unable to parse\n${'x'.repeat(2000)}` });
  assert.match(long.kind === 'refused' ? long.reason : '', /^unable to parse\\nx{483}… \(status 400\)$/);
});

test('a 400 that is not about the points keeps them', () => {
  const cases: readonly (readonly [unknown, WriteAnswer['headers'], 'server' | 'database'])[] = [
    ['Client sent an HTTP request to an HTTPS server.\n', {}, 'server'],
    ['<html><h1>400 Bad Request</h1></html>', { 'content-type': 'text/html' }, 'server'],
    [{ error: 'database is required' }, {}, 'database'],
    [{ error: 'invalid character in database name: must be ASCII' }, {}, 'database'],
    [{ error: 'retention policy not found: long' }, {}, 'database'],
    [{ code: 'invalid', message: 'bucket "x" is of another kind' }, {}, 'database'],
  ];
  for (const [body, headers, scope] of cases) {
    const found = verdict(400, body, headers);
    assert.deepEqual([found.kind, found.kind === 'failed' && found.scope], ['failed', scope], String(body));
  }
  const dataNamesIt = verdict(400, { error: "unable to parse 'database not found'" });
  assert.equal(dataNamesIt.kind, 'refused');
});

test('what the operator must put right is said, and the points are kept', () => {
  const cases: readonly (readonly [number, unknown, 'server' | 'database', RegExp])[] = [
    [401, { error: 'authorization failed' }, 'server', /check its token, or user and password/],
    [403, { error: '"u" user is not authorized' }, 'database', /it needs the right to write there/],
    [404, { error: 'database not found: "x"' }, 'database', /wait until somebody creates it/],
    [
      404,
      { code: 'not found', message: 'bucket "x" not found' },
      'database',
      /wait until somebody creates it/,
    ],
    [404, '404 page not found', 'server', /check url and version/],
    [404, { code: 'not found', message: 'path not found' }, 'server', /check url and version/],
    [301, '', 'server', /^status 301$/],
    [405, '', 'server', /^status 405$/],
    [500, { error: 'retention policy not found: long' }, 'database', /retention policy not found: long/],
  ];
  for (const [status, body, scope, reason] of cases) {
    const found = verdict(status, body);
    if (found.kind !== 'failed') assert.fail(`${status} is ${found.kind}`);
    assert.deepEqual([found.scope, found.cause, found.retryAfterMs], [scope, 'other', undefined]);
    assert.match(found.reason, reason);
  }
});

test('only a 500 without a reason may have to do with the points', () => {
  for (const [status, body, cause] of [
    [500, 'Internal Server Error', 'broke-down'],
    [500, '', 'broke-down'],
    [500, { error: 'timeout' }, 'other'],
    [502, '<html>', 'other'],
    [503, '', 'other'],
  ] as const) {
    const found = verdict(status, body);
    assert.equal(found.kind === 'failed' && found.cause, cause);
  }
});

test('a body that is too large is to be split', () => {
  assert.equal(verdict(413, { error: 'Request Entity Too Large' }).kind, 'too-large');
  assert.equal(verdict(413, '<html>').kind, 'too-large');
});

test('a server that asks to wait is given up to a minute', () => {
  for (const [text, ms] of [
    ['0', 0],
    ['7', 7000],
    ['86400', 60_000],
    ['Tue, 01 Jan 2030 00:00:05 GMT', 5000],
    ['Tue, 01 Jan 2029 00:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
  ] as const) {
    for (const status of [429, 503]) {
      const found = verdict(status, '', { 'retry-after': text });
      assert.equal(found.kind === 'failed' ? found.retryAfterMs : 'not failed', ms, text);
    }
  }
});
