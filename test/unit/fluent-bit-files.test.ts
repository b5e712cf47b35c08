import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CodedError } from '../../src/shared/coded-error.js';
import { HOST_KEY_NAMES } from '../../src/supervisor/config/fluent-bit/host-keys.js';
import { type OutputsFile, readOutputsFile } from '../../src/supervisor/config/fluent-bit/outputs-file.js';
import { DEFAULT_SERVICE } from '../../src/supervisor/config/fluent-bit/service-section.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { temporaryFolder } from '../support/temporary-folder.js';

type Files = Readonly<Record<string, string | Buffer>>;

function folderOf(t: TestContext, files: Files): string {
  const folder = temporaryFolder(t);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** Reads the first of the files. */
function read(
  t: TestContext,
  files: Files,
  environment: NodeJS.ProcessEnv = {},
): OutputsFile & { folder: string } {
  const folder = folderOf(t, files);
  return { ...readOutputsFile(join(folder, Object.keys(files)[0] ?? ''), environment), folder };
}

/** What is wrong with the first of the files, a line each, the folder left out. */
function problems(t: TestContext, files: Files): readonly string[] {
  const folder = folderOf(t, files);
  try {
    readOutputsFile(join(folder, Object.keys(files)[0] ?? ''), {});
  } catch (error) {
    assert.ok(error instanceof CodedError && error.code === 'config', String(error));
    const lines = error.message.replaceAll(`${folder}/`, '').split('\n');
    return lines.length > 1 ? lines.slice(1) : lines;
  }
  return [];
}

const OUTPUT = '[OUTPUT]\n    Name try\n    Match *\n';

test('a classic file gives service, libraries and outputs, with relative paths from the file that names them', (t) => {
  const { service, libraries, outputs, warnings, folder } = read(t, {
    'main.conf': `# a comment
[SERVICE]
    Flush        0.5
    grace        3
    LOG_LEVEL    Warning
    Plugins_File conf/plugins.conf
    plugins_file conf/more.conf

[OUTPUT]
    name  try
    MATCH collect.*
    Path  /var/a b "c"
    # another
    Url   http://h/#frag

[output]
    Name         other
    Match_Regex  ^collect[.]web
    Alias        second_1
    Retry_Limit  No_Limits
    Workers      3
    storage.total_limit_size 5M
    log_suppress_interval 1m
    log_level    off
    agent.format flat
    agent.flush_timeout 7
    agent.env.GOGC 400
    format       json
`,
    'conf/plugins.conf': '[PLUGINS]\n\tPath a.so\n\tPath /abs/b.so\n',
    'conf/more.conf': '[Plugins]\n  path ../c.so\n',
  });
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    libraries.map(({ path }) => path),
    [join(folder, 'conf/a.so'), '/abs/b.so', join(folder, 'c.so')],
  );
  assert.deepEqual([service.flushMs, service.graceMs, service.logLevel], [500, 3000, 'warn']);
  const [first, second] = outputs;
  assert.equal(outputs.length, 2);
  assert.deepEqual(
    [first?.pluginName, first?.host.match, first?.host.retryLimit],
    ['try', 'collect.*', undefined],
  );
  assert.deepEqual(first?.properties, [
    ['Path', '/var/a b "c"'],
    ['Url', 'http://h/#frag'],
  ]);
  assert.deepEqual(second?.host, {
    alias: 'second_1',
    match: undefined,
    matchRegex: '^collect[.]web',
    retryLimit: 'unlimited',
    workers: 3,
    logLevel: 'off',
    logSuppressIntervalMs: 60_000,
    storageBytesMax: 5_000_000,
    format: 'flat',
    bufferSize: undefined,
    flushTimeoutMs: 7000,
    deadLetterFile: undefined,
  });
  assert.deepEqual(second?.hostEnvironment, { GOGC: '400' });
  assert.deepEqual(second?.properties, [['format', 'json']], 'the format of a plugin stays its own');
});

test('the YAML form says the same, and every value is the text that stands there', (t) => {
  const { service, libraries, outputs, warnings, folder } = read(
    t,
    {
      'main.yaml': `env:
  region: eu
service:
  flush: 2
  plugins_file: plugins.yaml
plugins:
  - own.so
  - /abs/b.so
pipeline:
  inputs:
    - name: cpu
  outputs:
    - name: try
      match: '*'
      number: 1.10
      switch: on
      hex: 0x1F
      list: [a, b]
      where: \${region}-\${HOME_TOWN}
      nothing:
    - &base {name: other, match: 'a*', key: v}
    - *base
`,
      'plugins.yaml': 'plugins: [sub/c.so]\n',
    },
    { HOME_TOWN: 'bonn' },
  );
  assert.equal(service.flushMs, 2000);
  assert.deepEqual(
    libraries.map(({ path }) => path),
    [join(folder, 'own.so'), '/abs/b.so', join(folder, 'sub/c.so')],
  );
  assert.deepEqual(
    outputs.map(({ pluginName }) => pluginName),
    ['try', 'other', 'other'],
  );
  assert.deepEqual(outputs[0]?.properties, [
    ['number', '1.10'],
    ['switch', 'on'],
    ['hex', '0x1F'],
    ['list', 'a'],
    ['list', 'b'],
    ['where', 'eu-bonn'],
  ]);
  assert.match(warnings.join('\n'), /main\.yaml:10: this agent has no use for \[inputs\]/);
});

test('CRLF, a byte order mark, tabs, blank lines of blanks and no newline at the end are no matter', (t) => {
  const { outputs } = read(t, {
    'main.conf': '\ufeff[OUTPUT]\r\n\tName\ttry\r\n \t \r\n\tMatch   *  \r\n\r\n\tKey  a\tb',
  });
  assert.deepEqual(outputs[0]?.properties, [['Key', 'a\tb']]);
  assert.equal(outputs[0]?.host.match, '*');
});

test('variables come from @SET, wherever it stands, then from the environment; one that is unset is warned of', (t) => {
  const { outputs, warnings } = read(
    t,
    {
      'main.conf': `${OUTPUT}    A \${one}/\${two}/\${three}
    B \${nowhere}
    C x\${nowhere}\${open
    D \${late}
@SET one = 1
@SET two=\${one}2
@SET late=yes
`,
    },
    { one: 'not this', three: `\${one}` },
  );
  assert.deepEqual(outputs[0]?.properties, [
    ['A', `1/12/\${one}`],
    ['C', `x\${open`],
    ['D', 'yes'],
  ]);
  assert.equal(warnings.length, 2);
  assert.match(warnings.join('\n'), /main\.conf:5: the variable \$\{nowhere\} has no value/);
});

test('files are included in their place, by globs too, beside the including file or else the main one', (t) => {
  const { outputs, warnings } = read(t, {
    'main.conf': `@INCLUDE conf.d/*.conf\n@INCLUDE none*.conf\n@SET dir=sub\n@INCLUDE \${dir}/nested.conf\n`,
    'conf.d/b.conf': OUTPUT.replace('try', 'b'),
    'conf.d/a.conf': `@INCLUDE deep/a.conf\n@INCLUDE beside-main.conf\n${OUTPUT.replace('try', 'a')}`,
    'conf.d/.hidden.conf': 'not read',
    'conf.d/deep/a.conf': OUTPUT.replace('try', 'deep'),
    'beside-main.conf': OUTPUT.replace('try', 'beside'),
    'sub/nested.conf': OUTPUT.replace('try', 'nested'),
  });
  assert.deepEqual(
    outputs.map(({ pluginName }) => pluginName),
    ['deep', 'beside', 'a', 'b', 'nested'],
  );
  assert.match(warnings.join('\n'), /main\.conf:2: "none\*\.conf" matches no file/);
});

test('a section goes on behind an include, and an included file begins without one', (t) => {
  const { outputs } = read(t, {
    'main.conf': '[OUTPUT]\n    Name try\n@INCLUDE x.conf\n    Match *\n',
    'x.conf': '[OUTPUT]\n  Name x\n  Match y\n',
  });
  assert.deepEqual(
    outputs.map(({ host }) => host.match),
    ['*', 'y'],
  );
  assert.deepEqual(problems(t, { 'main.conf': `${OUTPUT}@INCLUDE x.conf\n`, 'x.conf': '    Key v\n' }), [
    'x.conf:1: "Key v" stands before the first section, like [OUTPUT]',
  ]);
});

test('sections and keys of the service that the agent does not have are named in one warning each', (t) => {
  const { warnings } = read(t, {
    'main.conf': `[SERVICE]\n    Daemon off\n    HTTP_Server On\n    Plugin_File x\n[INPUT]\n    Name cpu\n[FILTER]\n    Name grep\n[PARSER]\n    Name x\n[INPUT]\n    Name mem\n[STREAM_TASK]\n    a b\n${OUTPUT}`,
  });
  assert.equal(warnings.length, 2, warnings.join('\n'));
  assert.match(
    warnings[0] ?? '',
    /:2: .*Daemon, HTTP_Server, Plugin_File \(did you mean plugins_file\?\), ignored/,
  );
  assert.match(warnings[1] ?? '', /:5: .*\[INPUT\], \[FILTER\], \[PARSER\], \[STREAM_TASK\], ignored/);
});

const MISTAKES: readonly (readonly [string, string, RegExp])[] = [
  ['no indentation', '[OUTPUT]\nName try\n    Match *\n', /^main\.conf:2: "Name try" is not indented/],
  [
    'too much of it',
    `${OUTPUT}        Key v\n`,
    /^main\.conf:4: there is extra indentation \(8 in place of 4\)/,
  ],
  ['too little of it', `${OUTPUT}  Key v\n`, /^main\.conf:4: the indentation is too low \(2 in place of 4\)/],
  ['a tab among blanks', `${OUTPUT}\tKey v\n`, /^main\.conf:4: inconsistent use of tabs and blanks/],
  ['a header without its end', `[OUTPUT\n    Name x\n${OUTPUT}`, /^main\.conf:1: "\[OUTPUT" is no section/],
  ['an empty header', `[]\n${OUTPUT}`, /^main\.conf:1: "\[\]" is no section/],
  ['a key without a value', `${OUTPUT}    Key\n`, /^main\.conf:4: "Key" has no value/],
  [
    'a key before all sections',
    `    Key v\n${OUTPUT}`,
    /^main\.conf:1: "Key v" stands before the first section/,
  ],
  ['an unknown command', `@INCLUD x\n${OUTPUT}`, /^main\.conf:1: there is no command @INCLUD/],
  ['@SET without a value', `@SET x\n${OUTPUT}`, /^main\.conf:1: @SET needs a name and a value/],
  [
    'a misspelt section',
    '[OUTPUTS]\n    Name try\n',
    /^main\.conf:1: unknown section \[OUTPUTS\]: did you mean \[OUTPUT\]/,
  ],
  ['no name', '[OUTPUT]\n    Match *\n', /^main\.conf:1: \[OUTPUT\]: Name is missing/],
  [
    'a name of nothing',
    `[OUTPUT]\n    Name \${NO}\n    Match *\n`,
    /^main\.conf:1: \[OUTPUT\]: Name is missing/,
  ],
  ['no match', '[OUTPUT]\n    Name try\n', /^main\.conf:1: \[OUTPUT\] try: Match is missing/],
  [
    'a wrong flush',
    `[SERVICE]\n    Flush soon\n${OUTPUT}`,
    /^main\.conf:2: \[SERVICE\] flush = "soon": must be a number of seconds/,
  ],
  [
    'a wrong level',
    `${OUTPUT}    Log_Level loud\n`,
    /:4: \[OUTPUT\] log_level = "loud": must be one of off, error/,
  ],
  [
    'a wrong retry limit',
    `${OUTPUT}    Retry_Limit -1\n`,
    /:4: .*must be a number of retries from 1, no_limits .* no_retries/,
  ],
  ['a wrong expression', `${OUTPUT}    Match_Regex (\n`, /:4: .*must be a regular expression/],
  ['a wrong size', `${OUTPUT}    storage.total_limit_size 5 apples\n`, /:4: .*must be a number of bytes/],
  ['a strange key of this agent', `${OUTPUT}    agent.formt flat\n`, /:4: .*there is agent\.format/],
  [
    'an unknown plugins file',
    `[SERVICE]\n    Plugins_File none.conf\n${OUTPUT}`,
    /^main\.conf:2: none\.conf: there is no such file/,
  ],
  ['an unknown include', `@INCLUDE none.conf\n${OUTPUT}`, /^main\.conf:1: none\.conf: there is no such file/],
  ['an include of itself', `@INCLUDE main.conf\n${OUTPUT}`, /^main\.conf:1: main\.conf is read already/],
  [
    'a plugins file without plugins',
    `[SERVICE]\n    Plugins_File main.conf\n${OUTPUT}`,
    /^main\.conf: is no plugins file/,
  ],
];

for (const [what, text, expected] of MISTAKES) {
  test(`${what} is an error with file and line`, (t) => {
    const found = problems(t, { 'main.conf': text });
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', expected);
  });
}

test('keys that the host keeps and that mean nothing here are refused by name, in any case', (t) => {
  const keys = ['Host', 'PORT', 'tls', 'tls.verify', 'Tag', 'ipv6', 'storage.type', 'Mem_Buf_Limit'];
  const found = problems(t, { 'main.conf': OUTPUT + keys.map((key) => `    ${key} x\n`).join('') });
  assert.equal(found.length, keys.length);
  for (const [index, key] of keys.entries()) {
    assert.ok(
      found[index]?.startsWith(`main.conf:${4 + index}: [OUTPUT] ${key} is a key that the host keeps`),
    );
  }
});

test('includes in a circle, and too many of them, are errors', (t) => {
  assert.match(
    problems(t, { 'a.conf': '@INCLUDE b.conf\n', 'b.conf': '@INCLUDE a.conf\n' }).join('\n'),
    /^b\.conf:1: a\.conf is read already \(the first file\)/,
  );
  const many = Object.fromEntries(Array.from({ length: 210 }, (_, index) => [`d/${index}.conf`, '# none\n']));
  const found = problems(t, { 'main.conf': '@INCLUDE d/*.conf\n', ...many });
  assert.equal(found.length, 1);
  assert.match(found[0] ?? '', /^main\.conf:1: includes too much: 200 files/);
});

test('what is no text, or too much of it, is an error that names the file', (t) => {
  const cases: readonly (readonly [string | Buffer, RegExp])[] = [
    [Buffer.from('[OUTPUT]\n    Name t\xfc\n', 'latin1'), /^main\.conf: is not UTF-8 text \(line 2\)/],
    ['[OUTPUT]\n    Name t\0\n', /^main\.conf: holds a byte 0/],
    ['#'.repeat(1_100_000), /^main\.conf: is larger than 1048576 bytes/],
  ];
  for (const [content, expected] of cases) {
    assert.match(problems(t, { 'main.conf': content }).join('\n'), expected);
  }
  assert.match(problems(t, { 'x/y.conf': '', 'x/z': '' }).join('\n') || 'none', /none/);
  const folder = temporaryFolder(t);
  assert.throws(() => readOutputsFile(folder, {}), /is a folder/);
  assert.throws(() => readOutputsFile(join(folder, 'none.conf'), {}), /none\.conf: there is no such file/);
});

const YAML_MISTAKES: readonly (readonly [string, string, RegExp])[] = [
  ['bad syntax', 'service: [\n', /^main\.yaml:\d+: not valid YAML/],
  [
    'a key that stands twice',
    'service:\n  flush: 1\n  flush: 2\n',
    /^main\.yaml:3: not valid YAML: .*unique/,
  ],
  ['an unknown name', 'pipelines: {}\n', /^main\.yaml:1: unknown name "pipelines": did you mean pipeline/],
  [
    'outputs that are no list',
    'pipeline:\n  outputs:\n    name: x\n',
    /^main\.yaml:2: outputs must be a list/,
  ],
  [
    'an output that is no map',
    'pipeline:\n  outputs:\n    - x\n',
    /^main\.yaml:3: each of outputs must be a map/,
  ],
  [
    'a value that is a map',
    'pipeline:\n  outputs:\n    - name: x\n      match: y\n      key: {a: b}\n',
    /^main\.yaml:5: "key" must be text/,
  ],
  [
    'a value with a byte 0',
    'pipeline:\n  outputs:\n    - name: x\n      match: y\n      key: "a\\0b"\n',
    /^main\.yaml:5: "key" must be text/,
  ],
  [
    'a list of lists',
    'pipeline:\n  outputs:\n    - name: x\n      match: y\n      key: [[a]]\n',
    /^main\.yaml:5: "key" must be text/,
  ],
];

for (const [what, text, expected] of YAML_MISTAKES) {
  test(`in YAML, ${what} is an error with file and line`, (t) => {
    const found = problems(t, { 'main.yaml': text });
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', expected);
  });
}

test('a YAML file that unfolds to billions of nodes, or is nested too deep, is refused at once', (t) => {
  const names = 'abcdefghi';
  const bomb = [...names].map((name, index) => {
    const before = names[index - 1];
    return `${name}: &${name} [${Array(9)
      .fill(before === undefined ? 'lol' : `*${before}`)
      .join(', ')}]`;
  });
  const text = `env:\n  x: 1\n${bomb.join('\n')}\npipeline:\n  outputs:\n    - {name: x, match: y, key: *i}\n`;
  assert.match(problems(t, { 'main.yaml': text }).join('\n'), /"key" must be text/);
  assert.match(
    problems(t, { 'main.yaml': '['.repeat(100_000) }).join('\n'),
    /^main\.yaml: ?.*not valid YAML/,
  );
});

test('more grace than a stop of the agent may take is cut, with a warning', (t) => {
  const { service, warnings } = read(t, { 'main.conf': `[SERVICE]\n    Grace 60\n${OUTPUT}` });
  assert.equal(service.graceMs, 30_000);
  assert.match(warnings.join('\n'), /main\.conf:1: \[SERVICE\] Grace is taken as 30 s/);
});

test('all mistakes of all files are named in one message, each with its file and line', (t) => {
  const found = problems(t, {
    'main.conf': `[SERVICE]\n    Flush x\n    Plugins_File p.conf\n${OUTPUT}    port 1\n@INCLUDE more.conf\n`,
    'more.conf': '[OUTPUT]\n    Name x\n',
    'p.conf': '[PLUGINS]\n    Paht a.so\n',
  });
  assert.deepEqual(
    found.map((line) => line.split(': ')[0]),
    ['main.conf:2', 'main.conf:7', 'p.conf:2', 'more.conf:1'],
  );
});

test('the sample file loads as it is, and names every key that the host has', () => {
  const sample = join(PROJECT_ROOT, 'deploy/outputs.sample.conf');
  const { outputs, libraries, service, warnings } = readOutputsFile(sample, {});
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    libraries.map(({ path }) => path),
    [join(PROJECT_ROOT, 'deploy/examples/output-plugin/out_jsonlines.so')],
  );
  const text = readFileSync(sample, 'utf8').toLowerCase();
  for (const name of Object.values(HOST_KEY_NAMES)) assert.ok(text.includes(` ${name} `), name);
  assert.deepEqual(
    { ...service, pluginsFiles: [] },
    DEFAULT_SERVICE,
    'the values of the sample are the defaults',
  );
  assert.deepEqual(outputs[0]?.properties, [['Path', '/tmp/points-eu']]);
});
