import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readAs } from '../support/format-points.js';

function perfdataOf(output: string) {
  const { points, bad, problem } = readAs('nagios', `x|${output}\n`, null);
  assert.deepEqual([bad, problem], [[], undefined], output);
  return points.map(([name, tags, fields]) => [name, tags, fields]);
}

describe('the state', () => {
  const states: readonly [number, string][] = [
    [0, 'OK'],
    [1, 'WARNING'],
    [2, 'CRITICAL'],
    [3, 'UNKNOWN'],
  ];
  for (const [exitCode, state] of states) {
    it(`is ${state} for exit code ${exitCode}`, () => {
      assert.deepEqual(readAs('nagios', 'PING is fine | rta=1ms\nmore\n', exitCode).points[0], [
        'state',
        {},
        { value: exitCode, state, output: 'PING is fine' },
        undefined,
      ]);
    });
  }

  it('is there without any text, and not for other exit codes or none', () => {
    assert.deepEqual(readAs('nagios', '', 2).points, [
      ['state', {}, { value: 2, state: 'CRITICAL' }, undefined],
    ]);
    assert.deepEqual(readAs('nagios', 'text', 4).points, []);
    assert.deepEqual(readAs('nagios', 'text', null).points, []);
  });

  it('is there whatever bytes are in the text: they are for people to read', () => {
    const output = Buffer.from('Gr\u00f6\u00dfe | a=1 \u00f6=2', 'latin1');
    const { points, bad, problem } = readAs('nagios', output, 2);
    assert.deepEqual(points, [
      ['state', {}, { value: 2, state: 'CRITICAL', output: 'Gr\ufffd\ufffde' }, undefined],
      ['a', {}, { value: 1 }, undefined],
    ]);
    assert.deepEqual([bad, problem], [['1: is not UTF-8 text'], undefined]);
  });

  it('has at most 1,000 characters of the text', () => {
    const [point] = readAs('nagios', 'é'.repeat(5000), 0).points;
    assert.equal(point?.[2].output, 'é'.repeat(1000));
  });
});

describe('performance data', () => {
  it('has a value with thresholds and bounds', () => {
    assert.deepEqual(perfdataOf('/=2643MB;5948;5958;0;5968'), [
      ['/', { unit: 'MB' }, { value: 2643, warn: 5948, crit: 5958, min: 0, max: 5968 }],
    ]);
  });

  it('has any number of items, and leaves out what a plugin leaves out', () => {
    assert.deepEqual(perfdataOf(' load1=0.010;5.000;;0;  load5=-.5;;10 users=4;  total=1e-05;;;; \t'), [
      ['load1', {}, { value: 0.01, warn: 5, min: 0 }],
      ['load5', {}, { value: -0.5, crit: 10 }],
      ['users', {}, { value: 4 }],
      ['total', {}, { value: 0.00001 }],
    ]);
  });

  it('may have commas between its items, as in the documentation of Nagios', () => {
    assert.deepEqual(perfdataOf('percent_packet_loss=0, rta=0.80'), [
      ['percent_packet_loss', {}, { value: 0 }],
      ['rta', {}, { value: 0.8 }],
    ]);
    assert.deepEqual(perfdataOf("time=0.1s;1;2, 'a b'=U, size=5B,"), [
      ['time', { unit: 's' }, { value: 0.1, warn: 1, crit: 2 }],
      ['size', { unit: 'B' }, { value: 5 }],
    ]);
  });

  it('has units, whatever they are', () => {
    const units = ['s', 'us', 'ms', '%', 'B', 'KB', 'MB', 'TB', 'c', 'packets/s', '°C'];
    assert.deepEqual(
      perfdataOf(units.map((unit) => `m=1${unit}`).join(' ')),
      units.map((unit) => ['m', { unit }, { value: 1 }]),
    );
  });

  it('has labels in quotes, with blanks, equal signs and quotes in them', () => {
    assert.deepEqual(perfdataOf("'C:\\ Used'=5% 'it''s a=b'=1 'plain'=2 ''''=3"), [
      ['C:\\-Used', { unit: '%' }, { value: 5 }],
      ["it's-a=b", {}, { value: 1 }],
      ['plain', {}, { value: 2 }],
      ["'", {}, { value: 3 }],
    ]);
  });

  it('has ranges by their ends', () => {
    const cases: readonly [string, object][] = [
      ['10', { warn: 10 }],
      ['10:', { warn_lower: 10 }],
      ['~:10', { warn_upper: 10 }],
      ['~:5', { warn_upper: 5 }],
      ['10:20', { warn_lower: 10, warn_upper: 20 }],
      ['@10:20', { warn_lower: 10, warn_upper: 20, warn_inside: true }],
      ['@1:2', { warn_lower: 1, warn_upper: 2, warn_inside: true }],
      ['@5', { warn_lower: 0, warn_upper: 5, warn_inside: true }],
      ['-2.5:-1', { warn_lower: -2.5, warn_upper: -1 }],
      [':7', { warn_lower: 0, warn_upper: 7 }],
      ['~:', {}],
    ];
    for (const [range, fields] of cases) {
      assert.deepEqual(perfdataOf(`m=1;${range}`), [['m', {}, { value: 1, ...fields }]], range);
    }
    assert.deepEqual(perfdataOf('m=1;;@1:2')[0]?.[2], {
      value: 1,
      crit_lower: 1,
      crit_upper: 2,
      crit_inside: true,
    });
  });

  it('is left out, and is no mistake, when the plugin does not know the value', () => {
    assert.deepEqual(perfdataOf('a=U b=U;1;2;0;9 c=1'), [['c', {}, { value: 1 }]]);
  });

  it('goes on behind the bar of a later line, up to the end', () => {
    const output = `DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968
/ 15272 MB (77%);
/boot 68 MB (69%);
/var/log 819 MB (84%); | /boot=68MB;88;93;0;98
/home=69357MB;253404;253409;0;253414

/var/log=818MB;970;975;0;980
`;
    const { points, bad } = readAs('nagios', output, 0);
    assert.deepEqual(bad, []);
    assert.deepEqual(
      points.map(([name, , { value }]) => [name, value]),
      [
        ['state', 0],
        ['/', 2643],
        ['/boot', 68],
        ['/home', 69357],
        ['/var/log', 818],
      ],
    );
    assert.equal(points[0]?.[2].output, 'DISK OK - free space: / 3326 MB (56%);');
  });
});

describe('bad performance data', () => {
  const bad: readonly [string, RegExp][] = [
    ['m', /"m" is no label=value/],
    ['m=', /"m" is "", no number with a unit/],
    ['m=one', /"m" is "one", no number/],
    ['m=1.2.3', /"m" is "1\.2\.3"/],
    ['m=0,5', /"m" is "0,5"/],
    ['m=NaN', /"m" is "NaN"/],
    ['=1', /"=1" is no label=value/],
    ["'open=1", /is no label=value/],
    ['m=1;x', /has "x" for warn, no range/],
    ['m=1;20:10', /has "20:10" for warn, no range/],
    ['m=1;;@', /has "@" for crit, no range/],
    ['m=1;;;low', /has "low" for min, no number/],
    ['m=1;;;;~', /has "~" for max, no number/],
    ['m=1;2;3;4;5;6', /more than warn, crit, min and max/],
  ];
  for (const [item, reason] of bad) {
    it(`is left out, with the reason, and its neighbours go out: ${item}`, () => {
      const { points, bad: found, badCount } = readAs('nagios', `text\nmore | a=1 ${item} b=2`, 1);
      assert.deepEqual([points.map(([name]) => name), badCount], [['state', 'a', 'b'], 1]);
      assert.match(found[0] ?? '', reason);
      assert.match(found[0] ?? '', /^2: /);
    });
  }

  const hostile: readonly [string, string][] = [
    ['quotes', "'".repeat(200_001)],
    ['quotes and blanks', "''a ".repeat(50_000)],
    ['signs', `m=${'-'.repeat(200_000)}"`],
    ['semicolons', `m=1${';'.repeat(200_000)}1`],
    ['bars', '|'.repeat(200_000)],
    ['a long line', 'x '.repeat(200_000)],
  ];
  for (const [what, data] of hostile) {
    it(`is read to its end, whatever is in it: ${what}`, () => {
      const { points, badCount } = readAs('nagios', `text\nx|\n${data}\ngood=1`, 0);
      assert.ok(badCount > 0);
      assert.deepEqual(
        points.map(([name]) => name),
        ['state', 'good'],
      );
    });
  }
});
