import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readAs } from '../support/format-points.js';

function pointsOf(output: string) {
  const { points, bad, problem } = readAs('prometheus', output);
  assert.deepEqual([bad, problem], [[], undefined], output);
  return points;
}

describe('the text format of Prometheus', () => {
  it('has names, labels, values and milliseconds; HELP, TYPE and comments say nothing that a point holds', () => {
    const output = `# HELP http_requests_total The total number of requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363999

# a comment of no meaning
without_labels 12.47
`;
    assert.deepEqual(pointsOf(output), [
      ['http_requests_total', { method: 'post', code: '200' }, { value: 1027 }, 1395066363],
      ['http_requests_total', { method: 'post', code: '400' }, { value: 3 }, 1395066363],
      ['without_labels', {}, { value: 12.47 }, undefined],
    ]);
  });

  it('escapes backslash, quote and line end in labels', () => {
    const line = String.raw`disk{path="C:\\DIR\\FILE.TXT",error="no \"FILE\"\nfound",odd="\d"} 1.458255915e9`;
    assert.deepEqual(pointsOf(line), [
      [
        'disk',
        { path: 'C:\\DIR\\FILE.TXT', error: 'no-"FILE"-found', odd: '\\d' },
        { value: 1458255915 },
        undefined,
      ],
    ]);
  });

  it('has histograms and summaries as they stand', () => {
    const output = `# TYPE took_seconds histogram
took_seconds_bucket{le="0.05"} 24054
took_seconds_bucket{le="+Inf"} 144320
took_seconds_sum 53423
took_seconds_count 144320
# TYPE rpc_seconds summary
rpc_seconds{quantile="0.01"} 3102
rpc_seconds_sum 1.7560473e+07`;
    assert.deepEqual(
      pointsOf(output).map(([name, tags, fields]) => [name, tags, fields.value]),
      [
        ['took_seconds_bucket', { le: '0.05' }, 24054],
        ['took_seconds_bucket', { le: '+Inf' }, 144320],
        ['took_seconds_sum', {}, 53423],
        ['took_seconds_count', {}, 144320],
        ['rpc_seconds', { quantile: '0.01' }, 3102],
        ['rpc_seconds_sum', {}, 17560473],
      ],
    );
  });

  it('has blanks and tabs where they may be, a comma behind the last label, colons in names, line ends of Windows', () => {
    assert.deepEqual(pointsOf(' \tjob:up:sum { a = "b" , c="d" , }\t 1 \r\nempty{} 2\nclose{a="b"}3'), [
      ['job:up:sum', { a: 'b', c: 'd' }, { value: 1 }, undefined],
      ['empty', {}, { value: 2 }, undefined],
      ['close', { a: 'b' }, { value: 3 }, undefined],
    ]);
  });

  it('may begin with a byte order mark', () => {
    assert.deepEqual(pointsOf('\ufeffup 1\n'), [['up', {}, { value: 1 }, undefined]]);
  });

  it('takes names in quotes inside the braces', () => {
    assert.deepEqual(pointsOf('{"my.metric with blank",a="b","c.d"="e"} 3'), [
      ['my.metric-with-blank', { a: 'b', 'c.d': 'e' }, { value: 3 }, undefined],
    ]);
  });

  it('takes what OpenMetrics adds: units, seconds, exemplars, the end', () => {
    const output = `# TYPE foo counter
# UNIT foo seconds
foo_total 17.0 1520879607.789 # {trace_id="oHg5SJYRHA0"} 0.67 1520879607.5
foo_created 1520430000.123
bar_bucket{le="1"} 8 # {a="b"} 0.9
# EOF
`;
    assert.deepEqual(pointsOf(output), [
      ['foo_total', {}, { value: 17 }, 1520879607],
      ['foo_created', {}, { value: 1520430000.123 }, undefined],
      ['bar_bucket', { le: '1' }, { value: 8 }, undefined],
    ]);
  });

  it('gives what is no time of our age the current one', () => {
    for (const timestamp of ['0', '-3982045', '1000', '1e18']) {
      assert.equal(pointsOf(`m 1 ${timestamp}`)[0]?.[3], undefined, timestamp);
    }
  });

  it('keeps a host that the plugin names, and drops empty labels', () => {
    const { documents } = readAs('prometheus', '');
    assert.equal(documents, '');
    assert.throws(() => readAs('prometheus', 'up{host="db1",empty=""} 1'), /the host is db1/);
  });
});

describe('a bad sample', () => {
  const bad: readonly [string, RegExp][] = [
    ['up NaN', /the value of "up" is "NaN", which no point can hold/],
    ['up +Inf', /"\+Inf", which no point can hold/],
    ['up -Inf', /"-Inf", which no point can hold/],
    ['up one', /"one", which is no number/],
    ['up', /"up" has no value/],
    ['up{a="b"}', /"up" has no value/],
    ['up{a="b" 1', /its labels have no end/],
    ['up{a="b', /the value of label "a" is no text in double quotes/],
    ['up{a=b} 1', /the value of label "a" is no text in double quotes/],
    ['up{a} 1', /label "a" has no value/],
    ['up{a="b",a="c"} 1', /label "a" is there twice/],
    ['up{,} 1', /its labels are no list/],
    ['up{1a="b"} 1', /its labels are no list/],
    ['{a="b"} 1', /begins with no name/],
    ['1up 1', /begins with no name/],
    ['up-time 1', /"up-time" is no name of a metric/],
    ['node.cpu{a="b"} 1', /"node\.cpu\{a=.* is no name of a metric/],
    ['up 1 soon', /the timestamp of "up" is "soon"/],
    ['up 1 2 3', /"3" stands behind the sample/],
    [`up{a="${'x'.repeat(300_000)}"} 1`, /longer than 262144 characters/],
  ];
  for (const [line, reason] of bad) {
    it(`is left out, with the reason: ${line.slice(0, 40)}`, () => {
      const { points, bad: found, badCount } = readAs('prometheus', `# one\n${line}\ngood 1\n`);
      assert.deepEqual([points.map(([name]) => name), badCount], [['good'], 1]);
      assert.match(found[0] ?? '', reason);
      assert.match(found[0] ?? '', /^2: /);
    });
  }

  it('that is the only one makes the output one that is not understood; no sample at all does not', () => {
    assert.match(
      readAs('prometheus', '<html>').problem ?? '',
      /no point in the format "prometheus"; line 1: /,
    );
    assert.equal(readAs('prometheus', '# EOF\n').problem, undefined);
  });
});

describe('hostile text', () => {
  const hostile: readonly [string, string][] = [
    ['open braces', '{'.repeat(200_000)],
    ['labels', `m{${'a="b",'.repeat(30_000)}`],
    ['quotes', `m{a=${'"'.repeat(200_000)}`],
    ['backslashes', `m{a="${'\\'.repeat(200_001)}`],
    ['digits', `m ${'1'.repeat(200_000)}x`],
    ['blanks', `m${' \t'.repeat(100_000)}`],
  ];
  for (const [what, output] of hostile) {
    it(`is read to its end: ${what}`, () => {
      const { points, badCount } = readAs('prometheus', `${output}\ngood 1`);
      assert.deepEqual([points.map(([name]) => name), badCount], [['good'], 1]);
    });
  }
});
