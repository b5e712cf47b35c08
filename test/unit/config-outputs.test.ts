import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Config } from '../../src/supervisor/config/config.js';
import { longestTopicPrefix } from '../../src/supervisor/config/topic-prefix.js';
import { AS_ROOT, type Given, load, problemOf, problemsOf, REGISTRY } from '../support/config-file.js';
import { temporaryFolder } from '../support/temporary-folder.js';

function configOf(t: TestContext, lines: string, given: Given = {}): Config {
  return load(t, `[agent]\n${REGISTRY}\n${lines}\n`, given).config;
}

/** An InfluxDB that lacks nothing. */
const INFLUXDB = 'name = "influxdb"\nurl = "http://127.0.0.1:8086"\ndatabase = "metrics"';

test('an output has a default for every key that has one', (t) => {
  const { output, outputs } = configOf(t, '');
  assert.deepEqual(outputs, []);
  assert.deepEqual(
    { ...output },
    {
      name: 'nsq',
      alias: 'nsq',
      buffersize: 100_000,
      responsetimeout: 10,
      servers: ['127.0.0.1:4150'],
      lookupd: [],
      compression: 'none',
      topicprefix: 'collect.',
      tls: false,
      tlsca: '',
      tlscert: '',
      tlskey: '',
      tlsservername: '',
      tlsinsecure: false,
      authsecretfile: '',
      path: '',
      url: '',
      version: 1,
      database: '',
      organization: '',
      retentionpolicy: '',
      namespacetag: 'namespace',
      tokenfile: '',
      username: '',
      passwordfile: '',
      gzip: true,
      batchsize: 5000,
      databaseprefix: '',
      maxmessagesize: 1_000_000,
      plugins_file: '',
    },
  );
});

test('the alias of an output is its name unless it is set', (t) => {
  assert.equal(configOf(t, '[output]\nname = "stdout"').output.alias, 'stdout');
  assert.equal(configOf(t, '[output]\nname = "stdout"\nalias = ""').output.alias, 'stdout');
  const { output, outputs } = configOf(t, '[output]\nalias = "Main-1_a"\n[[outputs]]\nname = "stdout"');
  assert.deepEqual([output.alias, outputs[0]?.alias], ['Main-1_a', 'stdout']);
});

test('with nsqlookupd there is no server but those that are written', (t) => {
  const found = configOf(
    t,
    '[output]\nlookupd = ["l:4161", "l:4161", "0.0.0.0:1", "http://l2:80/x/"]',
  ).output;
  assert.deepEqual(found.servers, []);
  assert.deepEqual(found.lookupd, ['l:4161', '127.0.0.1:1', 'http://l2/x']);
  const both = configOf(t, '[output]\nlookupd = ["l:4161"]\nservers = ["n:4150"]').output;
  assert.deepEqual(both.servers, ['n:4150']);
  const none = configOf(t, '[output]\nlookupd = ["l:4161"]\nservers = []').output;
  assert.deepEqual(none.servers, []);
  const further = configOf(t, '[[outputs]]\nalias = "b"\nlookupd = ["l:4161"]').outputs[0];
  assert.deepEqual(further?.servers, []);
  const environment = { AGENT_OUTPUT_LOOKUPD: 'a:1,b:2', AGENT_OUTPUT_COMPRESSION: 'snappy' };
  const fromVariables = configOf(t, '', { environment }).output;
  assert.deepEqual(fromVariables.lookupd, ['a:1', 'b:2']);
  assert.deepEqual(fromVariables.servers, []);
  assert.equal(fromVariables.compression, 'snappy');
});

test('an InfluxDB of each version loads with what belongs to it', (t) => {
  const folder = temporaryFolder(t);
  for (const file of ['token', 'password']) writeFileSync(join(folder, file), 's3cret\n', { mode: 0o600 });
  const one = configOf(
    t,
    `[output]\n${INFLUXDB}\nusername = "u"\npasswordfile = "password"\nretentionpolicy = "two weeks"\ngzip = false`,
    { folder },
  ).output;
  assert.deepEqual(
    [one.version, one.username, one.passwordfile, one.retentionpolicy, one.gzip],
    [1, 'u', join(folder, 'password'), 'two weeks', false],
  );
  const two = configOf(
    t,
    '[[outputs]]\nname = "influxdb"\nurl = "https://i/base/"\nversion = 2\norganization = "o"\ndatabase = "%s"\ntokenfile = "token"\nnamespacetag = ""\nbatchsize = 1',
    { folder },
  ).outputs[0];
  assert.deepEqual(
    [two?.url, two?.version, two?.organization, two?.database, two?.namespacetag, two?.batchsize],
    ['https://i/base', 2, 'o', '%s', '', 1],
  );
  const three = configOf(t, `[output]\n${INFLUXDB}\nversion = 3`).output;
  assert.equal(three.version, 3);
});

test('further outputs keep their order, are frozen, and stand as tables in a list too', (t) => {
  const { outputs } = configOf(
    t,
    '[[outputs]]\nname = "stdout"\n[log]\n[[outputs]]\nname = "file"\npath = "x"',
  );
  assert.deepEqual(
    outputs.map(({ name }) => name),
    ['stdout', 'file'],
  );
  assert.ok(Object.isFrozen(outputs) && outputs.every((output) => Object.isFrozen(output)));
  const inline = load(t, `outputs = [{ name = "stdout" }]\n[agent]\n${REGISTRY}\n`).config.outputs;
  assert.equal(inline[0]?.name, 'stdout');
});

test('keys of another kind are taken in [output], as files of other agents have them', (t) => {
  const { output } = configOf(t, '[output]\nname = "stdout"\nservers = ["0.0.0.0:7777"]\nurl = "http://i"');
  assert.equal(output.name, 'stdout');
});

test('of several topic prefixes the longest counts, of outputs that have topics', (t) => {
  const further = (prefix: string, lines: string) => `[[outputs]]\n${lines}\ntopicprefix = "${prefix}"`;
  const config = configOf(t, `[output]\ntopicprefix = "a."\n${further('longer.', 'alias = "b"')}`);
  assert.equal(longestTopicPrefix(config), 'longer.');
  assert.equal(longestTopicPrefix(configOf(t, '[[outputs]]\nname = "stdout"')), 'collect.');
});

test('the spool is in the state folder unless it is named', (t) => {
  const given = configOf(t, 'statedir = "/srv/s"');
  assert.deepEqual(
    { ...given.spool },
    { mode: 'overflow', dir: '/srv/s/spool', maxbytes: 1_073_741_824, fsync: 'interval' },
  );
  assert.equal(configOf(t, 'statedir = "/srv/s"\n[spool]\ndir = ""').spool.dir, '/srv/s/spool');
  assert.equal(configOf(t, '[spool]\ndir = "/srv/x"').spool.dir, '/srv/x');
  assert.equal(configOf(t, '[spool]\ndir = "~/x"').spool.dir, '/home/eve/x');
  assert.equal(configOf(t, '', { facts: AS_ROOT }).spool.dir, '/var/lib/agent/state/spool');
  const environment = {
    AGENT_SPOOL_MODE: 'always',
    AGENT_SPOOL_MAXBYTES: '20000000',
    AGENT_SPOOL_FSYNC: 'never',
  };
  const { mode, maxbytes, fsync } = configOf(t, '', { environment }).spool;
  assert.deepEqual([mode, maxbytes, fsync], ['always', 20_000_000, 'never']);
});

test('a spool that is off needs no room', (t) => {
  const lines = '[output]\nmaxmessagesize = 16777216\n[spool]\nmode = "off"\nmaxbytes = 16777216';
  assert.equal(configOf(t, lines).spool.mode, 'off');
});

const WRONG_LINES: readonly (readonly [lines: string, problem: RegExp])[] = [
  ['[spool]\nmode = "on"', /:4: \[spool\] mode = "on": must be one of "overflow", "always", "off"$/],
  ['[spool]\nmode = true', /mode = true: must be one of/],
  ['[spool]\nfsync = "sometimes"', /must be one of "interval", "always", "never"/],
  ['[spool]\nmaxbytes = 16777215', /must be a whole number of bytes from 16777216 to/],
  ['[spool]\nmaxbytes = "1G"', /must be a whole number of bytes/],
  ['[spool]\nmaxbyte = 1', /\[spool\] maxbyte: unknown key, did you mean maxbytes\?/],
  ['[spool]\ndir = 5', /must be the path of a folder, in double quotes, or ""/],
  ['[[spool]]\nmode = "off"', /must be a table/],
  [
    '[output]\nmaxmessagesize = 2000000\n[spool]\nmaxbytes = 31999999',
    /:6: \[spool\] maxbytes = 31999999: must be 32000000 at least: the output needs room for 16 messages/,
  ],
  [
    '[[outputs]]\nname = "stdout"\n[spool]\nmaxbytes = 31999999',
    /maxbytes = 31999999: must be 32000000 at least: each of the 2 outputs/,
  ],
  [
    '[[outputs]]\nname = "stdout"\n[spool]\nmode = "off"',
    /:6: \[spool\] mode = "off": must be "overflow" or "always" with \[\[outputs\]\]/,
  ],
  ['[spool]\ndir = "/"', /:4: \[spool\] dir = "\/": is a folder of the system/],
  ['[spool]\ndir = "/var/spool"', /is a folder of the system.*like "\/var\/spool\/agent-spool"/],
  ['[spool]\ndir = "~"', /is a folder of the system/],
  ['[spool]\ndir = "."', /dir = ".": holds this configuration file/],
  ['pluginsdir = "/srv/p"\n[spool]\ndir = "/srv/p/s"', /dir = .*must not be pluginsdir or lie in it/],
  ['pluginsdir = "/srv/p"\n[spool]\ndir = "/srv/p"', /dir = .*must not be pluginsdir or lie in it/],
  ['pluginsdir = "/srv/s/p"\n[spool]\ndir = "/srv/s"', /dir = .*must not be pluginsdir or hold it/],
  ['statedir = "/srv/s"\n[spool]\ndir = "/srv/s"', /dir = .*must not be statedir or hold it/],
  ['statedir = "/srv/s/t"\n[spool]\ndir = "/srv/s"', /dir = .*must not be statedir or hold it/],
  ['rundir = "/srv/s"\n[spool]\ndir = "/srv/s"', /dir = .*must not be rundir or hold it/],
  ['rundir = "/srv/r"\n[spool]\ndir = "/srv/r/s"', /dir = .*must not lie in rundir, which may be gone/],
  ['[log]\nlogdir = "/srv/s/l"\n[spool]\ndir = "/srv/s"', /dir = .*must not be logdir or hold it/],
  [
    'statedir = "/srv/s"\n[log]\nlogdir = "/srv/s/spool/l"',
    /:5: \[log\] logdir = .*must not be \/srv\/s\/spool or lie in it/,
  ],
  ['statedir = "/srv/s"\npluginsdir = "/srv/s/spool"', /pluginsdir = .*must not be statedir or lie in it/],
  ['[output]\nalias = "a.b"', /:4: \[output\] alias = "a.b": must be at most 32 letters/],
  [`[output]\nalias = "${'x'.repeat(33)}"`, /must be at most 32 letters/],
  ['[output]\nalias = "../x"', /must be at most 32 letters/],
  ['[output]\nlookupd = "l:4161"', /lookupd = "l:4161": must be a list, like/],
  ['[output]\nlookupd = ["l"]', /lookupd, entry 1 = "l": must be host:port or an http/],
  ['[output]\nlookupd = ["l:0"]', /must be host:port or an http/],
  ['[output]\nlookupd = ["ftp://l:1"]', /must be host:port or an http/],
  ['[output]\nlookupd = ["http://l:1/?x"]', /must end before any "\?"/],
  ['[output]\nservers = []', /must name at least one nsqd.*or lookupd an nsqlookupd/],
  ['[output]\nservers = []\nlookupd = []', /must name at least one nsqd/],
  ['[output]\ncompression = "gzip"', /must be one of "none", "deflate", "snappy"/],
  [
    '[output]\nname = "influxdb"\ndatabase = "d"',
    /:3: \[output\] url: is missing: .*"http:\/\/127.0.0.1:8086"/,
  ],
  ['[output]\nname = "influxdb"\nurl = "http://i"', /database: is missing: name the database, or "%s"/],
  ['[output]\nname = "influxdb"\nurl = "udp://i"\ndatabase = "d"', /url = "udp:\/\/i": must be an http/],
  ['[output]\nname = "influxdb"\nurl = "i:8086"\ndatabase = "d"', /must be an http/],
  ['[output]\nname = "influxdb"\nurl = "http://i/?db=x"\ndatabase = "d"', /must end before any "\?"/],
  ['[output]\nname = "influxdb"\nurl = "http://i#x"\ndatabase = "d"', /must end before any "\?" or "#"/],
  [`[output]\n${INFLUXDB}\nversion = 4`, /:7: \[output\] version = 4: must be 1, 2 or 3/],
  [`[output]\n${INFLUXDB}\nversion = "2"`, /version = "2": must be 1, 2 or 3/],
  [`[output]\n${INFLUXDB}\nversion = 2`, /organization: is missing: version = 2 needs/],
  [`[output]\n${INFLUXDB}\norganization = "o"`, /organization = "o": belongs to version = 2 alone/],
  [`[output]\n${INFLUXDB}\nversion = 3\norganization = "o"`, /belongs to version = 2 alone/],
  [`[output]\n${INFLUXDB}\nversion = 3\nretentionpolicy = "r"`, /belongs to version = 1 alone/],
  [
    `[output]\n${INFLUXDB}\nversion = 3\nusername = "u"`,
    /belongs to version = 1: versions 2 and 3 take tokenfile/,
  ],
  [`[output]\n${INFLUXDB}\nusername = "u"`, /passwordfile: is missing: username needs the file/],
  [
    `[output]\n${INFLUXDB}\nusername = "u"\npasswordfile = "nowhere"`,
    /passwordfile = .*there is no such file/,
  ],
  [`[output]\n${INFLUXDB}\nversion = 3\ntokenfile = "nowhere"`, /tokenfile = .*there is no such file/],
  [`[output]\n${INFLUXDB}\nnamespacetag = "host"`, /namespacetag = "host": must be at most 64/],
  [`[output]\n${INFLUXDB}\nnamespacetag = "a b"`, /must be at most 64 letters/],
  [`[output]\n${INFLUXDB}\nbatchsize = 0`, /must be a whole number of points from 1/],
  [`[output]\n${INFLUXDB}\ngzip = "yes"`, /must be true or false/],
  ['[output]\nname = "influxdb"\nurl = "http://i"\ndatabase = "%s-%s"', /no more than one %s/],
  ['[outputs]\nname = "stdout"', /:3: outputs = .*must be tables: .*\[\[outputs\]\] with two brackets/],
  ['[[outputs]]\nname = "kafka"', /:4: \[\[outputs\]\] 1 name = "kafka": must be one of/],
  ['[[outputs]]\nname = "stdout"\n[[outputs]]\nname = "file"', /:5: \[\[outputs\]\] 2 path: is missing/],
  [
    '[[outputs]]\nname = "stdout"\ncolour = 1',
    /:5: \[\[outputs\]\] 1 colour: unknown key, the keys of \[\[outputs\]\]/,
  ],
  [
    '[[outputs]]\nalias = "b"\nserver = ["a:1"]',
    /:5: \[\[outputs\]\] 1 server: unknown key, did you mean servers\?/,
  ],
  [
    '[[outputs]]\nalias = "b"\nservers = [\n"a:1",\n"b"]',
    /:7: \[\[outputs\]\] 1 servers, entry 2 = "b": must be host:port/,
  ],
  ['[[outputs]]\nname = "stdout"\nloglevel = "INFO"', /unknown key, it belongs in \[log\]/],
  [
    '[[outputs]]\nname = "stdout"\ndatabaseprefix = ""',
    /:5: \[\[outputs\]\] 1 databaseprefix: holds for all outputs: it belongs in \[output\]$/,
  ],
  ['[[outputs]]\nname = "stdout"\nmaxmessagesize = 300000', /it belongs in \[output\]$/],
  ['[[outputs]]\nname = "stdout"\nplugins_file = ""', /it belongs in \[output\]$/],
  [
    '[[outputs]]\nname = "stdout"\nservers = ["a:1"]',
    /:5: \[\[outputs\]\] 1 servers = \["a:1"\]: means nothing to name = "stdout": remove it; its keys are name, alias/,
  ],
  ['[[outputs]]\nalias = "b"\nurl = "http://i"', /url = .*: means nothing to name = "nsq"/],
  [`[[outputs]]\n${INFLUXDB}\ntls = true`, /tls = true: means nothing to name = "influxdb"/],
  [
    `[[outputs]]\n${INFLUXDB}\ntlscert = "nowhere"`,
    /tlscert = "nowhere": means nothing to name = "influxdb"/,
  ],
  [
    '[[outputs]]\nservers = ["a:1"]',
    /:3: \[\[outputs\]\] 1 alias: is the alias of \[output\] already \("nsq"\)/,
  ],
  [
    '[[outputs]]\nname = "stdout"\nalias = "NSQ"',
    /:5: \[\[outputs\]\] 1 alias = "NSQ": is the alias of \[output\] already \("nsq"\)/,
  ],
  [
    '[output]\nname = "stdout"\n[[outputs]]\nname = "stdout"\nalias = "b"',
    /:6: \[\[outputs\]\] 1 name = "stdout": writes to stdout, as \[output\] does/,
  ],
  [
    '[[outputs]]\nname = "file"\npath = "/srv/x"\n[[outputs]]\nname = "file"\npath = "/srv/y/../x"\nalias = "b"',
    /:8: \[\[outputs\]\] 2 path = .*is the file of \[\[outputs\]\] 1 already/,
  ],
  [
    '[[outputs]]\nname = "file"\npath = "/srv/s/x"\n[spool]\ndir = "/srv/s"',
    /:5: \[\[outputs\]\] 1 path = .*must not lie in \/srv\/s: that folder holds nothing but the spool/,
  ],
  ['[[outputs.more]]\nx = 1', /outputs = .*must be tables/],
  ['[[outputs]]\nname = "stdout"\n[outputs.more]\nx = 1', /:5: \[\[outputs\]\] 1 more: unknown key/],
  ['[[output]]\nname = "stdout"', /must be a table: a line with its name in brackets/],
];

for (const [lines, problem] of WRONG_LINES) {
  test(`says what would be right: ${lines.slice(0, 90).replaceAll('\n', ' ')}`, (t) => {
    assert.match(problemOf(t, lines), problem);
  });
}

test('more than sixteen outputs are too many, and the first of these is named', (t) => {
  const outputs = (count: number) =>
    Array.from({ length: count }, (_, n) => `[[outputs]]\nalias = "o${n}"`).join('\n');
  assert.equal(configOf(t, outputs(15)).outputs.length, 15);
  assert.match(
    problemOf(t, outputs(16)),
    /:33: \[\[outputs\]\] 16: is one too many: 16 outputs are the most/,
  );
});

test('problems of all outputs stand in one message, in the order of the file', (t) => {
  const found = problemsOf(
    t,
    `[agent]
${REGISTRY}
[[outputs]]
name = "influxdb"
url = "http://i"
[[outputs]]
name = "nsq"
servers = ["a"]
buffersize = "x"
[log]
loglevel = "LOUD"
[[outputs]]
name = 5
path = "/x"
[[outputs]]
name = "stdout"
alias = "nsq"
`,
    { environment: { AGENT_OUTPUTS_0_NAME: 'x', AGENT_SPOOL_FSYNC: 'x' } },
  );
  const expected = [
    /^agent\.toml:3: \[\[outputs\]\] 1 database: is missing/,
    // The second has the first output's alias, and the fourth has too.
    /^agent\.toml:6: \[\[outputs\]\] 2 alias: is the alias of \[output\] already/,
    /^agent\.toml:8: \[\[outputs\]\] 2 servers, entry 1 = "a": must be host:port/,
    /^agent\.toml:9: \[\[outputs\]\] 2 buffersize = "x"/,
    /^agent\.toml:11: \[log\] loglevel/,
    /^agent\.toml:13: \[\[outputs\]\] 3 name = 5: must be one of/,
    /^agent\.toml:17: \[\[outputs\]\] 4 alias = "nsq": is the alias of \[output\] already/,
    /^AGENT_SPOOL_FSYNC = "x": must be one of/,
    /^AGENT_OUTPUTS_0_NAME: variables cannot set keys of \[\[outputs\]\]: write them into the file$/,
  ];
  assert.equal(found.length, expected.length, found.join('\n'));
  for (const [index, pattern] of expected.entries()) assert.match(found[index] ?? '', pattern);
});

test('a user and password in the address of a database are refused with the way out, and not shown', (t) => {
  const url = (address: string) => `[output]\nname = "influxdb"\nurl = "${address}"\ndatabase = "d"`;
  for (const address of ['http://bob:s3cret@i:8086', 'https://:s3cret@i']) {
    const problem = problemOf(t, url(address));
    assert.match(problem, /:5: \[output\] url = .*: must not hold a user or password: give them as username/);
    assert.doesNotMatch(problem, /s3cret/);
  }
  for (const address of ['http://i/?u=bob&p=s3cret', 'http://bob:a/b#s3cret@i', 'http://b:s3cret@i/?q']) {
    assert.doesNotMatch(problemOf(t, url(address)), /s3cret/);
  }
});

test('a token excludes a user, and its file must be closed to others', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'token'), 's3cret\n', { mode: 0o600 });
  const lines = `[output]\n${INFLUXDB}\ntokenfile = "token"`;
  assert.equal(configOf(t, lines, { folder }).output.tokenfile, join(folder, 'token'));
  const user = 'username = "u"\npasswordfile = "token"';
  assert.match(
    problemOf(t, `${lines}\n${user}`, { folder }),
    /tokenfile = .*: and username exclude each other/,
  );
  chmodSync(join(folder, 'token'), 0o644);
  assert.match(problemOf(t, `${lines}\nversion = 3`, { folder }), /mode 0644\): run chmod o-rw/);
});

test('a password without a user is named', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'password'), 's3cret\n', { mode: 0o600 });
  const problem = problemOf(t, `[output]\n${INFLUXDB}\npasswordfile = "password"`, { folder });
  assert.match(problem, /username: is missing: passwordfile needs its user/);
});

test('the spool cannot be in a folder of the system or of the agent by way of a link', (t) => {
  const folder = temporaryFolder(t);
  symlinkSync('/usr', join(folder, 'link'));
  assert.match(problemOf(t, '[spool]\ndir = "link"', { folder }), /folder of the system/);
  mkdirSync(join(folder, 'plugins'));
  symlinkSync(join(folder, 'plugins'), join(folder, 'other'));
  const lines = 'pluginsdir = "plugins"\n[spool]\ndir = "other/spool"';
  assert.match(problemOf(t, lines, { folder }), /must not be pluginsdir or lie in it/);
});

test('what makes an output unsafe is a warning that names it', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'token'), 's3cret\n', { mode: 0o600 });
  const warningsOf = (lines: string) =>
    load(t, `[agent]\n${REGISTRY}\n${lines}\n`, { folder }).warnings.join('\n');
  const further = (url: string, more: string) =>
    `[[outputs]]\nname = "influxdb"\nversion = 3\ndatabase = "d"\nurl = "${url}"\n${more}`;
  assert.match(
    warningsOf('[[outputs]]\nalias = "b"\ntls = true\ntlsinsecure = true'),
    /^\[\[outputs\]\] 1 tlsinsecure = true: anybody in between can pass for nsqd$/,
  );
  assert.match(warningsOf(further('https://i', 'tlsinsecure = true')), /can pass for the database/);
  assert.match(
    warningsOf(further('http://i', 'tokenfile = "token"')),
    /\[\[outputs\]\] 1 url is http.*the token/,
  );
  assert.equal(warningsOf(further('http://127.0.0.1:8086', 'tokenfile = "token"')), '');
  assert.equal(warningsOf(further('http://[::1]', 'tokenfile = "token"')), '');
  assert.equal(warningsOf(further('http://i', '')), '');
  assert.equal(warningsOf(further('https://i', 'tokenfile = "token"')), '');
});
