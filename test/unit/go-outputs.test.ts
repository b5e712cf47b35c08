import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readOutputsFile } from '../../src/supervisor/config/fluent-bit/outputs-file.js';
import { type GoOutputs, goOutputs } from '../../src/supervisor/lifecycle/go-outputs.js';
import { load, problemOf, REGISTRY } from '../support/config-file.js';
import { temporaryFolder } from '../support/temporary-folder.js';

/** Path of a library → the name that it registers; those that are not named fail. */
type Names = Readonly<Record<string, string>>;

interface Given {
  /** Lines of the configuration behind `[agent]`. */
  readonly toml?: string;
  readonly conf?: string;
  readonly plugins?: string;
  readonly names?: Names;
}

const LIBRARIES = '[PLUGINS]\n    Path /a.so\n    Path /b.so\n';
const SERVICE = '[SERVICE]\n    Plugins_File plugins.conf\n';
const NAMES: Names = { '/a.so': 'alpha', '/b.so': 'Beta' };

async function outputsOf(
  t: TestContext,
  given: Given,
): Promise<GoOutputs & { readonly asked: readonly string[] }> {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'plugins.conf'), given.plugins ?? LIBRARIES);
  const { config, file } = load(t, `[agent]\n${REGISTRY}\n${given.toml ?? ''}\n`, { folder });
  let outputsFile: ReturnType<typeof readOutputsFile> | undefined;
  if (given.conf !== undefined) {
    writeFileSync(join(folder, 'outputs.conf'), given.conf);
    outputsFile = readOutputsFile(join(folder, 'outputs.conf'), {});
  }
  const asked: string[] = [];
  const made = await goOutputs({
    config,
    file,
    outputsFile,
    environment: {},
    ask: async (path) => {
      asked.push(path);
      const name = (given.names ?? NAMES)[path];
      if (name === undefined) return { kind: 'failed', sentence: 'it is broken' };
      return { kind: 'registered', name, description: '', eventType: 0 };
    },
  });
  const short = (lines: readonly string[]) => lines.map((line) => line.replaceAll(`${folder}/`, ''));
  return {
    ...made,
    asked,
    problems: short(made.problems),
    failures: short(made.failures),
    warnings: short(made.warnings),
  };
}

function output(lines: string): string {
  return `[OUTPUT]\n${lines
    .split('\n')
    .map((line) => `    ${line}\n`)
    .join('')}`;
}

test('an output gets the library that registers its name in whichever case, and the settings of the service', async (t) => {
  const conf = `[SERVICE]\n    Plugins_File plugins.conf\n    Flush 3\n    Grace 7\n    Log_Level error\n    scheduler.base 2\n    scheduler.cap 60\n${output('Name BETA\nMatch *\nKey v')}`;
  const { outputs, problems, failures, asked } = await outputsOf(t, { conf });
  assert.deepEqual([problems, failures, asked], [[], [], ['/a.so', '/b.so']]);
  const [made, more] = outputs;
  assert.equal(more, undefined);
  assert.ok(made !== undefined);
  const { reservedKeys, ...rest } = made;
  assert.deepEqual(rest, {
    name: 'go',
    library: '/b.so',
    pluginName: 'Beta',
    problem: undefined,
    alias: 'Beta',
    bufferSize: 100_000,
    properties: [['Key', 'v']],
    match: '*',
    matchRegex: undefined,
    topicPrefix: 'collect.',
    format: 'nested',
    flushMs: 3000,
    graceMs: 7000,
    workers: 1,
    retryLimit: 1,
    retryBaseMs: 2000,
    retryCapMs: 60_000,
    flushTimeoutMs: 60_000,
    deadLetterFile: undefined,
    logLevel: 'error',
    logSuppressIntervalMs: 0,
    storageLimitBytes: undefined,
    hostEnvironment: {},
  });
  for (const key of ['match', 'host', 'tls.verify', 'alias', 'storage.total_limit_size', 'workers', 'tag']) {
    assert.ok(reservedKeys.includes(key), key);
  }
  assert.equal(reservedKeys.length, 27);
});

test('outputs of one name get aliases of their own, which are the same next time and taken from nobody', async (t) => {
  const one = output('Name alpha\nMatch *');
  const conf = `${SERVICE}${one}${one}${output('Name alpha\nMatch *\nAlias ALPHA-2')}${one}`;
  const { outputs, problems } = await outputsOf(t, { conf, toml: '[output]\nalias = "Alpha"' });
  assert.deepEqual(problems, []);
  assert.deepEqual(
    outputs.map(({ alias }) => alias),
    ['alpha-3', 'alpha-4', 'ALPHA-2', 'alpha-5'],
  );
});

test('an alias that another output has is a mistake, wherever the other stands', async (t) => {
  const conf = `${SERVICE}${output('Name alpha\nMatch *\nAlias one')}${output('Name alpha\nMatch *\nAlias One')}${output('Name alpha\nMatch *\nAlias NSQ')}`;
  const { problems } = await outputsOf(t, { conf });
  assert.equal(problems.length, 2);
  assert.match(problems[0] ?? '', /^outputs\.conf:7: \[OUTPUT\] Alias One: .*\(outputs\.conf:3\)/);
  assert.match(problems[1] ?? '', /^outputs\.conf:11: \[OUTPUT\] Alias NSQ: .*\(\[output\]\)/);
});

test('a name that no library registers is a mistake that names those that are registered', async (t) => {
  const conf = `${SERVICE}${output('Name stdout\nMatch *')}${output('Name alpa\nMatch *')}${output('Name other\nMatch *')}`;
  const { problems, outputs } = await outputsOf(t, { conf });
  assert.equal(outputs.length, 0);
  assert.match(
    problems[0] ?? '',
    /^outputs\.conf:3: \[OUTPUT\] Name: "stdout" is built into Fluent Bit itself; here are only the outputs of Golang libraries: the libraries register "alpha", "Beta"$/,
  );
  assert.match(problems[1] ?? '', /:6: .*no library registers "alpa": did you mean "alpha"\?$/);
  assert.match(
    problems[2] ?? '',
    /:9: .*no library registers "other": the libraries register "alpha", "Beta"$/,
  );
  const none = await outputsOf(t, { conf: output('Name x\nMatch *') });
  assert.match(none.problems[0] ?? '', /no library is named: name some with \[SERVICE\] Plugins_File/);
});

test('a library that cannot be used costs only the outputs that would use it', async (t) => {
  const conf = `${SERVICE}${output('Name alpha\nMatch *')}${output('Name gone\nMatch *')}`;
  const { outputs, problems, failures } = await outputsOf(t, { conf, names: { '/a.so': 'alpha' } });
  assert.deepEqual(problems, []);
  assert.deepEqual(failures, ['plugins.conf:3: the library /b.so cannot be used: it is broken']);
  assert.deepEqual(
    outputs.map(({ alias, library, problem }) => [alias, library, problem]),
    [
      ['alpha', '/a.so', undefined],
      ['gone', '/b.so', 'no library registers "gone", and /b.so cannot be used: it is broken'],
    ],
  );
});

test('a name that is built into Fluent Bit stays a mistake beside a broken library, unless that looks like it', async (t) => {
  const conf = `${SERVICE}${output('Name kafka\nMatch *')}`;
  assert.match(
    (await outputsOf(t, { conf, names: {} })).problems[0] ?? '',
    /"kafka" is built into Fluent Bit/,
  );
  const plugins = '[PLUGINS]\n    Path /x.so\n    Path /out_kafka.so\n';
  const { problems, outputs } = await outputsOf(t, { conf, names: {}, plugins });
  assert.deepEqual(problems, []);
  assert.equal(outputs[0]?.library, '/out_kafka.so');
  assert.match(outputs[0]?.problem ?? '', /nor can others/);
});

test('two libraries of one name: the first is used, with a warning', async (t) => {
  const { outputs, warnings } = await outputsOf(t, {
    conf: `${SERVICE}${output('Name alpha\nMatch *')}`,
    names: { '/a.so': 'alpha', '/b.so': 'ALPHA' },
  });
  assert.equal(outputs[0]?.library, '/a.so');
  assert.match(warnings.join('\n'), /\/b\.so registers "ALPHA", as \/a\.so does: the first of them is used/);
});

test('[[outputs]] takes a plugin by its name and [output] plugins_file, or by its library', async (t) => {
  const { outputs, problems } = await outputsOf(t, {
    toml: `[output]
plugins_file = "plugins.conf"
[[outputs]]
name = "beta"
match = "collect.*"
retry_limit = "no_retries"
workers = 2
format = "flat"
flush = 0.5
flush_timeout = 3
dead_letter_file = "dead"
log_suppress_interval = "10s"
storage.total_limit_size = "1G"
environment = { GOGC = 400 }
[outputs.properties]
format = "json"
size = 80
deep = true
[[outputs]]
name = "go"
alias = "direct"
library = "/c.so"
retry_limit = false
[[outputs]]
name = "stdout"
[[outputs]]
name = "Gamma"
library = "/c.so"
`,
    names: { ...NAMES, '/c.so': 'gamma' },
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(
    outputs.map(({ alias, library, pluginName }) => [alias, library, pluginName]),
    [
      ['beta', '/b.so', 'Beta'],
      ['direct', '/c.so', 'gamma'],
      ['Gamma', '/c.so', 'gamma'],
    ],
  );
  const [beta, direct] = outputs;
  assert.deepEqual(
    [beta?.match, beta?.retryLimit, beta?.workers, beta?.format, beta?.flushMs, beta?.flushTimeoutMs],
    ['collect.*', 'none', 2, 'flat', 500, 3000],
  );
  assert.deepEqual([beta?.storageLimitBytes, beta?.logSuppressIntervalMs], [1e9, 10_000]);
  assert.match(beta?.deadLetterFile ?? '', /^\/.*\/dead$/);
  assert.deepEqual(beta?.hostEnvironment, { GOGC: '400' });
  assert.deepEqual(beta?.properties, [
    ['format', 'json'],
    ['size', '80'],
    ['deep', 'true'],
  ]);
  assert.equal(direct?.retryLimit, 'unlimited');
});

test('[[outputs]] with a library that registers another name, or none, says so', async (t) => {
  const toml =
    '[[outputs]]\nname = "delta"\nlibrary = "/a.so"\n[[outputs]]\nname = "go"\nlibrary = "/none.so"\n';
  const { problems, outputs } = await outputsOf(t, { toml });
  assert.equal(problems.length, 1);
  assert.match(
    problems[0] ?? '',
    /\[\[outputs\]\] 1 name: \/a\.so registers "alpha", not "delta": use that name$/,
  );
  assert.match(outputs[0]?.problem ?? '', /^\/none\.so cannot be used: it is broken$/);
});

test('outputs of -c need the disk, room on it, and a number of outputs that the agent can bear', async (t) => {
  const conf = `${SERVICE}${output('Name alpha\nMatch *')}`;
  const off = await outputsOf(t, { conf, toml: '[spool]\nmode = "off"' });
  assert.match(off.problems.join('\n'), /^outputs\.conf: needs \[spool\] mode = "overflow" or "always"/);
  const small = await outputsOf(t, { conf, toml: '[spool]\nmaxbytes = 20000000' });
  assert.match(small.problems.join('\n'), /^outputs\.conf: needs \[spool\] maxbytes = 32000000 at least/);
  const many = await outputsOf(t, { conf: SERVICE + output('Name alpha\nMatch *').repeat(16) });
  assert.match(many.problems.join('\n'), /^outputs\.conf: makes 17 outputs in all: 16 are the most/);
});

for (const [lines, expected] of [
  ['[[outputs]]\nname = "go"', /library.*is missing: name = "go" needs the file of the library/],
  [
    '[[outputs]]\nname = "influx"',
    /name = "influx": must be one of "nsq".*did you mean "influxdb"\?.*or the name of a Golang output plugin/,
  ],
  [
    '[[outputs]]\nname = "x"\nlibrary = "/x.so"\nservers = ["a:1"]',
    /servers = .*: means nothing to name = "go"/,
  ],
  ['[[outputs]]\nname = "stdout"\nmatch = "*"', /match = "\*": means nothing to name = "stdout"/],
  [
    '[[outputs]]\nname = "x"\nlibrary = "/x.so"\nretry_limit = 0',
    /retry_limit = 0: must be a number of retries from 1/,
  ],
  [
    '[[outputs]]\nname = "x"\nlibrary = "/x.so"\nworkers = "many"',
    /workers = "many": must be a whole number/,
  ],
  [
    '[[outputs]]\nname = "x"\nlibrary = "/x.so"\nmatch_regex = "("',
    /match_regex = "\(": must be a regular expression/,
  ],
  ['[[outputs]]\nname = "x"\nlibrary = "/x.so"\nproperties = "a"', /properties = "a": must be a table/],
  [
    '[[outputs]]\nname = "x"\nlibrary = "/x.so"\nproperties = { a = ["b"] }',
    /must be a table of the plugin's own keys/,
  ],
  ['[[outputs]]\nname = "x"\nlibrary = "/x.so"\nport = 1', /\[\[outputs\]\] 1 port: unknown key/],
  [
    '[[outputs]]\nname = "x"\nlibrary = "/x.so"\nproperties = { Port = 1 }',
    /properties: Port is a key that the host keeps for itself/,
  ],
  [
    '[[outputs]]\nname = "x"\nlibrary = "/x.so"\nproperties = { match = "*" }',
    /properties: match is a key .* write it into the table \[\[outputs\]\]/,
  ],
  ['[output]\nname = "go"', /name = "go": must be one of "nsq"/],
] as const) {
  test(`says what would be right: ${lines.replaceAll('\n', ' ')}`, (t) => {
    assert.match(problemOf(t, lines), expected);
  });
}
