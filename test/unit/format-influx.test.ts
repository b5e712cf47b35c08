import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readAs } from '../support/format-points.js';

function pointsOf(output: string) {
  const { points, bad, problem } = readAs('influx', output);
  assert.deepEqual([bad, problem], [[], undefined], output);
  return points;
}

/** Of a line that is bad, beside one that is good. */
function reasonFor(line: string): string {
  const { points, bad, badCount } = readAs('influx', `${line}\ngood v=1\n`);
  assert.deepEqual([points.length, badCount], [1, 1], line);
  assert.match(bad[0] ?? '', /^1: /);
  return bad[0]?.slice(3) ?? '';
}

describe('line protocol', () => {
  it('has a measurement, tags, all its fields in one point, and nanoseconds', () => {
    assert.deepEqual(
      pointsOf('weather,location=us-midwest temperature=82,humidity=71 1465839830100400200\n'),
      [['weather', { location: 'us-midwest' }, { temperature: 82, humidity: 71 }, 1465839830]],
    );
  });

  it('may come without tags, without a timestamp, and without the last line end', () => {
    assert.deepEqual(pointsOf('weather temperature=82'), [['weather', {}, { temperature: 82 }, undefined]]);
  });

  it('has floats, integers, unsigned integers, booleans and texts', () => {
    const line =
      'm a=1,b=-1.5e3,c=.5,d=5i,e=-7i,f=9u,g=t,h=F,i=true,j=FALSE,k="a text",l="",m=1.,n=+2E-2,o=True,p="1i"';
    assert.deepEqual(pointsOf(line)[0]?.[2], {
      a: 1,
      b: -1500,
      c: 0.5,
      d: 5,
      e: -7,
      f: 9,
      g: true,
      h: false,
      i: true,
      j: false,
      k: 'a text',
      l: '',
      m: 1,
      n: 0.02,
      o: true,
      p: '1i',
    });
  });

  it('keeps every digit of the largest integers', () => {
    const line = 'm a=9223372036854775807i,b=18446744073709551615u,c=-9223372036854775808i';
    assert.match(
      readAs('influx', line).documents,
      /"a":9223372036854775807,"b":18446744073709551615,"c":-9223372036854775808\b/,
    );
  });

  it('takes commas, equal signs and blanks that are escaped', () => {
    assert.deepEqual(
      pointsOf('wea\\,ther,loc\\ \\,\\=k=us\\ mid\\=west temp\\=ra\\ ture=82 1465839830100400200'),
      [['wea,ther', { 'loc-,=k': 'us-mid=west' }, { 'temp=ra ture': 82 }, 1465839830]],
    );
  });

  it('has blanks of a measurement as "-", like those of tags', () => {
    assert.deepEqual(pointsOf('my\\ disk,a=b v=1')[0]?.slice(0, 2), ['my-disk', { a: 'b' }]);
  });

  it('leaves other backslashes alone, and takes quotes in names and tags as they stand', () => {
    assert.deepEqual(pointsOf('C:\\x,path=D:\\y\\z,"q"="v" "f"="a\\\\b \\"c\\" \\d"'), [
      ['C:\\x', { path: 'D:\\y\\z', '"q"': '"v"' }, { '"f"': 'a\\b "c" \\d' }, undefined],
    ]);
  });

  it('has texts with commas, equal signs, blanks and line ends in them', () => {
    assert.deepEqual(pointsOf('m a="x, y=1 z",b=2\nm a="first\nsecond"\nn v=1'), [
      ['m', {}, { a: 'x, y=1 z', b: 2 }, undefined],
      ['m', {}, { a: 'first\nsecond' }, undefined],
      ['n', {}, { v: 1 }, undefined],
    ]);
  });

  it('has comments, empty lines, blanks around and line ends of Windows', () => {
    assert.deepEqual(pointsOf('# a comment\n\n   \n  m,a=b  v=1   1465839830100400200  \r\nn v=2\r\n'), [
      ['m', { a: 'b' }, { v: 1 }, 1465839830],
      ['n', {}, { v: 2 }, undefined],
    ]);
  });

  it('gives what is no time of our age the current one', () => {
    for (const timestamp of ['0', '-1', '1465839830', '1465839830100', '999999999999999999']) {
      assert.equal(pointsOf(`m v=1 ${timestamp}`)[0]?.[3], undefined, timestamp);
    }
    assert.equal(pointsOf('m v=1 9223372036854775807')[0]?.[3], 9223372036);
  });

  it('has keys that are names of JavaScript, and any script', () => {
    const [point] = pointsOf('__proto__,constructor=a,__proto__=b __proto__=1,ü="漢😀"');
    assert.equal(
      JSON.stringify(point),
      '["__proto__",{"constructor":"a","__proto__":"b"},{"__proto__":1,"ü":"漢😀"},null]',
    );
  });
});

describe('a bad line', () => {
  const bad: readonly [string, RegExp][] = [
    ['m', /its fields are missing/],
    ['m,a=b', /its fields are missing/],
    [',a=b v=1', /its measurement is missing/],
    ['m,a v=1', /tag "a" has no value/],
    ['m,a= v=1', /tag "a" has no value/],
    ['m,=b v=1', /a tag has no key/],
    ['m, v=1', /a tag has no key/],
    ['m,a=b=c v=1', /an "=" in its value that is not escaped/],
    ['m,a=b,a=c v=1', /tag "a" is there twice/],
    ['m v=1,v=2', /field "v" is there twice/],
    ['m v', /field "v" has no value/],
    ['m v=', /field "v" is "", no number/],
    ['m =1', /a field has no key/],
    ['m v=1,', /a field has no key/],
    ['m v=abc', /field "v" is "abc"/],
    ['m v=NaN', /field "v" is "NaN"/],
    ['m v=Infinity', /field "v" is "Infinity"/],
    ['m v=1e999', /field "v" is "1e999"/],
    ['m v=0x10', /field "v" is "0x10"/],
    ['m v=1.5i', /field "v" is "1.5i"/],
    ['m v=-1u', /field "v" is "-1u"/],
    ['m v=9223372036854775808i', /field "v" is/],
    ['m v=18446744073709551616u', /field "v" is/],
    ['m v=tRUE', /field "v" is "tRUE"/],
    ["m v='text'", /field "v" is "'text'"/],
    ['m v="a"b', /"b" stands behind its fields/],
    ['m v=1 now', /its timestamp "now"/],
    ['m v=1 1.5', /its timestamp "1.5"/],
    ['m v=1 12345678901234567890', /its timestamp/],
    ['m v=1 1 2', /its timestamp "1 2"/],
    [`${'x'.repeat(513)} v=1`, /its name is longer than 512/],
    ['a\tb\u0007 v=1', /its name ".*" has a control character/],
  ];
  for (const [line, reason] of bad) {
    it(`is left out, with the reason: ${line.slice(0, 40)}`, () => assert.match(reasonFor(line), reason));
  }

  it('whose text has no end does not take the lines behind it along', () => {
    const { points, bad } = readAs('influx', 'a v="no end\nb v=2\nc v=3\n');
    assert.deepEqual(bad, ['1: the text of field "v" has no end']);
    assert.deepEqual(
      points.map(([name]) => name),
      ['b', 'c'],
    );
  });

  it('is counted by its number, also behind a text of several lines', () => {
    const { bad } = readAs('influx', 'a v="1\n2\n3"\n# 4\nfive\nb v=1\nseven');
    assert.deepEqual(
      bad.map((text) => text.split(':')[0]),
      ['5', '7'],
    );
  });

  it('that is the only one makes the output one that is not understood; no line at all does not', () => {
    assert.match(
      readAs('influx', 'Traceback: oh').problem ?? '',
      /has no point in the format "influx"; line 1: field "oh" has no value/,
    );
    assert.equal(readAs('influx', '').problem, undefined);
    const onDemand = readAs('influx', 'Traceback: oh', 0, true);
    assert.deepEqual([onDemand.badCount, onDemand.problem], [0, undefined]);
  });

  it('that a process did not get to the end of is left out: there may have been more of its number', () => {
    const { points, bad } = readAs('influx', 'a v="1\n2"\nb v=3\nc v=45', null);
    assert.deepEqual(
      [points.map(([name]) => name), bad],
      [['a', 'b'], ['4: is cut off, as its process was ended']],
    );
    for (const [format, line] of [
      ['influx', 'm v=12'],
      ['prometheus', 'm 12'],
      ['nagios', 'OK | m=12'],
    ] as const) {
      assert.match(readAs(format, line, null).problem ?? '', /line 1: is cut off/, format);
      assert.equal(readAs(format, `${line}\n \t`, null).points.length, 1, format);
    }
  });

  it('of bytes that are no UTF-8 is left out, and the good ones go out', () => {
    const bytes = Buffer.concat([
      Buffer.from('a v=1\nb,t='),
      Buffer.from([0xff]),
      Buffer.from(' v=1\nc v=1\n'),
    ]);
    const { points, bad } = readAs('influx', bytes);
    assert.deepEqual([points.map(([name]) => name), bad], [['a', 'c'], ['2: is not UTF-8 text']]);
  });
});

describe('hostile line protocol', () => {
  const hostile: readonly [string, string][] = [
    ['quotes without end', 'm v="'.repeat(200_000)],
    ['lines with open quotes', 'm v="x\n'.repeat(100_000)],
    ['backslashes', `m v="${'\\'.repeat(1_000_001)}`],
    ['digits', `m v=${'1'.repeat(1_000_000)}x`],
    ['commas', `m${','.repeat(1_000_000)}`],
    ['tags', `m,${Array.from({ length: 50_000 }, (_, index) => `t${index}=1`).join()} v=1`],
    ['blanks', `m${' '.repeat(1_000_000)}`],
  ];
  for (const [what, output] of hostile) {
    it(`is read to its end: ${what}`, () => {
      const { points, badCount } = readAs('influx', `${output}\ngood v=1`);
      assert.ok(badCount > 0);
      assert.equal(points.at(-1)?.[0], 'good');
    });
  }
});
