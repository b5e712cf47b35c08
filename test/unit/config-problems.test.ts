import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/supervisor/config/load-config.js';
import { AS_ROOT, AS_USER, load, problemOf, problemsOf, REGISTRY } from '../support/config-file.js';
import { temporaryFolder } from '../support/temporary-folder.js';

test('all problems stand in one message, in the order of the file, with line and key', (t) => {
  const text = `[agent]
listen = "127.0.0.1:70000"
loglevel = "INFO"

[output]
servers = [
  "nsqd:4150",
  "nsqd",
]
buffersize = "many"
[log]
loglevel = "LOUD"
loglevle = "INFO"
[outptu]
name = "nsq"
`;
  const found = problemsOf(t, text, { environment: { AGENT_HTTP_INSECURE: 'yes' } });
  const expected = [
    /^agent\.toml:1: \[agent\] registryaddr: is missing: .*https:/,
    /^agent\.toml:2: \[agent\] listen = "127\.0\.0\.1:70000": must be host:port/,
    /^agent\.toml:3: \[agent\] loglevel: unknown key, it belongs in \[log\]$/,
    /^agent\.toml:8: \[output\] servers, entry 2 = "nsqd": must be host:port/,
    /^agent\.toml:10: \[output\] buffersize = "many": must be a whole number of points from 1 to/,
    /^agent\.toml:12: \[log\] loglevel = "LOUD": must be one of DEBUG, INFO, WARNING, ERROR, FATAL$/,
    /^agent\.toml:13: \[log\] loglevle: unknown key, did you mean loglevel\?$/,
    /^agent\.toml:14: \[outptu\]: unknown table, did you mean \[output\]\?$/,
    /^AGENT_HTTP_INSECURE = "yes": must be true or false/,
  ];
  assert.equal(found.length, expected.length, found.join('\n'));
  for (const [index, pattern] of expected.entries()) assert.match(found[index] ?? '', pattern);
});

const WRONG_LINES: readonly (readonly [lines: string, problem: RegExp])[] = [
  ['listen = 1232', /:3: \[agent\] listen = 1232: must be host:port/],
  ['listen = "1232"', /must be host:port/],
  ['listen = "127.0.0.1:-1"', /must be host:port/],
  ['listen = "::1:80"', /must be host:port/],
  ['listen = "256.1.1.1:80"', /must be host:port/],
  ['ifaceprefix = "eth"', /must be a list, like/],
  ['ifaceprefix = ["eth", ""]', /ifaceprefix, entry 2 = ""/],
  ['registryca = "/nowhere/ca.pem"', /there is no such file/],
  ['registrytimeout = 0', /must be a number of seconds from 0.1/],
  ['registrytimeout = nan', /registrytimeout = NaN/],
  ['registrytimeout = -5', /must be a number of seconds/],
  ['gittimeout = 1979-05-27', /must be a number of seconds/],
  ['git = "https://git.example.com/x.git"', /exactly one %s/],
  ['git = "https://git.example.com/%s/%s.git"', /exactly one %s/],
  ['git = "ftp://git.example.com/%s.git"', /must be an address with exactly one %s/],
  ['git = "ext::sh -c %s"', /must be an address/],
  ['git = "ext::%s"', /must be an address/],
  ['git = "--upload-pack=%s"', /must be an address/],
  ['gitprotocols = []', /at least one protocol/],
  ['gitprotocols = ["ext"]', /must be one of "https", "ssh"/],
  ['postprefix = "a b"', /must be at most 64 letters/],
  ['pluginsdir = ""', /must be the path of a folder/],
  ['pluginsdir = "/"', /folder of the system/],
  ['pluginsdir = "/usr/"', /folder of the system/],
  ['pluginsdir = "/var/lib/.."', /folder of the system/],
  ['pluginsdir = "/home"', /folder of the system/],
  ['pluginsdir = "~"', /folder of the system/],
  ['pluginsdir = "/home/bob"', /folder of the system/],
  ['statedir = "/etc"', /folder of the system/],
  ['statedir = "/srv/a"\npluginsdir = "/srv/a"', /pluginsdir = "\/srv\/a": must not be statedir/],
  ['statedir = "/srv/a"\npluginsdir = "/srv/a/plugins"', /pluginsdir .*must not be statedir or lie in it/],
  ['statedir = "/srv/a/state"\npluginsdir = "/srv/a"', /statedir .*must not be pluginsdir or lie in it/],
  ['pluginsdir = "."', /holds this configuration file/],
  [`rundir = "/srv/${'long/'.repeat(20)}"`, /must be at most 90 bytes long/],
  ['pluginsuser = "a b"', /must be a user name or number/],
  ['pluginsuser = "root"', /allowroot = true/],
  ['pluginsuser = "0"', /allowroot = true/],
  ['[output]\nname = "kafka"', /must be one of "nsq", "influxdb", "stdout", "file"/],
  ['[output]\nname = "file"', /:3: \[output\] path: is missing/],
  ['[output]\nservers = []', /at least one nsqd/],
  ['[output]\nservers = ["http://nsqd:4151"]', /must be host:port/],
  ['[output]\nservers = ["nsqd:0"]', /port from 1 to 65535/],
  ['[output]\nservers = ["nsqd:4150/"]', /must be host:port/],
  ['[output]\nbuffersize = 0', /from 1 to/],
  ['[output]\nbuffersize = 1.5', /must be a whole number/],
  ['[output]\nbuffersize = 9007199254740993', /must be a whole number/],
  ['[output]\ntopicprefix = "collect#"', /must be at most 32 letters/],
  [`[output]\ntopicprefix = "${'x'.repeat(33)}"`, /must be at most 32 letters/],
  ['[output]\ndatabaseprefix = "a/b"', /must be at most 64 letters/],
  ['[output]\nmaxmessagesize = 1000', /bytes from 300000/],
  ['[output]\ntls = "true"', /must be true or false, without quotes/],
  ['[output]\nplugins_file = "plugins.conf"', /there is no such file/],
  ['[log]\nlogrotatesize = 10', /bytes from 1000/],
  ['[log]\nlogrotatenum = 0', /from 1 to/],
  ['[log]\nloglevel = 3', /must be one of DEBUG/],
  ['[http]\nnamespaces = "all"', /must be one of "any", "own"/],
  ['[http]\nhosts = ["http://a"]', /without scheme and port/],
  ['[http]\ntokenfile = "nowhere"', /there is no such file/],
  ['[http]\ntokenfile = "."', /is a folder, not a file/],
  ['[http]\ntokenfile = "/dev/zero"', /is no regular file/],
  ['[runner]\nthreads = 0', /threads from 1/],
  ['[runner]\nmemory = "512M"', /memory = "512M": must be 0 for no limit, or a whole number of bytes from/],
  ['[runner]\ncpuseconds = -1', /cpuseconds = -1: must be 0 for no limit/],
  ['[runner]\nopenfiles = 5', /openfiles = 5: must be 0 for no limit, or a whole number of files from 16/],
  ['[runner]\nnice = 20', /nice = 20: must be a whole number from -20/],
  ['[runner]\ncgroup = "agents"', /cgroup = "agents": must be "auto", "off", or the absolute path/],
  ['[runner]\nenvironment = ["A=B"]', /must be the name of a variable/],
  ['[agent.more]\nx = 1', /:3: \[agent\] more: unknown key, the keys of \[agent\] are listen/],
  ['[http]\n__proto__ = 1', /\[http\] __proto__: unknown key/],
  ['[[runner]]\nthreads = 1', /must be a table/],
  ['[wholly]\nx = 1', /unknown table, the tables are \[agent\], \[output\]/],
];

for (const [lines, problem] of WRONG_LINES) {
  test(`says what would be right: ${lines.slice(0, 60).replaceAll('\n', ' ')}`, (t) => {
    assert.match(problemOf(t, lines), problem);
  });
}

for (const address of [
  'ftp://registry',
  'registry.example.com',
  'http://',
  'file:',
  'https://r?x',
  'http://r:0',
]) {
  test(`a registry cannot be at ${JSON.stringify(address)}`, (t) => {
    const [problem = '', ...more] = problemsOf(t, `[agent]\nregistryaddr = "${address}"\n`);
    assert.match(problem, /^agent\.toml:2: \[agent\] registryaddr = .*: must /);
    assert.deepEqual(more, []);
  });
}

test('a key above all tables is named with the place where it belongs, and without its value', (t) => {
  const misplaced = problemsOf(t, `loglevel = "INFO"\n[agent]\n${REGISTRY}`);
  assert.match(misplaced[0] ?? '', /^agent\.toml:1: loglevel: .*\[log\]$/);
  const misspelt = problemsOf(t, `listne = "s3cret"\n[agent]\n${REGISTRY}`);
  assert.match(misspelt[0] ?? '', /^agent\.toml:1: listne: .*did you mean listen, .*\[agent\]\?$/);
  assert.match(problemsOf(t, 'agent = 5')[0] ?? '', /^agent\.toml:1: agent = 5: must be a table/);
});

const NO_TOML: readonly (readonly [text: string, problem: RegExp])[] = [
  ['[agent]\nlisten = 127.0.0.1:1\n', /^agent\.toml:2: not valid TOML: .*text in double quotes/],
  ['[agent]\nlisten =\n', /^agent\.toml:2: not valid TOML: the line ends too early/],
  ['[agent]\nlisten = "a\n', /^agent\.toml:2: .*text ends with a double quote/],
  ['[agent\nlisten = "a"\n', /^agent\.toml:1: .*a table begins with a line like \[agent\]/],
  ['[agent]\nlisten\n', /^agent\.toml:2: .*key = value/],
  ['[agent]\nlisten = ":1"\n\nlisten = ":2"\n', /^agent\.toml:4: not valid TOML: .*agent\.listen/],
  ['[agent]\n[log]\n[agent]\n', /^agent\.toml:3: not valid TOML: .*agent/],
  ['[agent]\r\nlisten = no\r\n', /^agent\.toml:2: not valid TOML/],
];

for (const [text, problem] of NO_TOML) {
  test(`names the line of what is no TOML: ${JSON.stringify(text)}`, (t) => {
    assert.match(problemsOf(t, text)[0] ?? '', problem);
  });
}

test('a file that is not there, a folder, a device, a giant and other bytes are refused by name', (t) => {
  const folder = temporaryFolder(t);
  const big = join(folder, 'big.toml');
  writeFileSync(big, '#'.repeat(1_048_577));
  const refusals: readonly (readonly [path: string, sentence: string])[] = [
    [join(folder, 'no.toml'), 'there is no such configuration file: name one with -f'],
    [folder, 'this is a folder: name the configuration file in it'],
    ['/dev/zero', 'this is no regular file'],
    [big, 'larger than 1048576 bytes, that is no configuration'],
  ];
  for (const [path, sentence] of refusals) {
    assert.throws(() => loadConfig(path, {}, AS_USER), { code: 'config', message: `${path}: ${sentence}` });
  }
  assert.match(problemsOf(t, Buffer.from([0x61, 0xff, 0xfe]))[0] ?? '', /not UTF-8 text/);
});

const asRoot = process.getuid?.() === 0;

test('a file that may not be read is refused by name', { skip: asRoot && 'root may read all' }, (t) => {
  const file = join(temporaryFolder(t), 'agent.toml');
  writeFileSync(file, '', { mode: 0o000 });
  assert.throws(() => loadConfig(file, {}, AS_USER), /may not read this configuration file/);
});

test('an empty file only lacks the registry', (t) => {
  const found = problemsOf(t, '');
  assert.equal(found.length, 1);
  assert.match(found[0] ?? '', /^agent\.toml: \[agent\] registryaddr: is missing/);
});

test('a variable is checked like its key, and one that names no key is an error with a suggestion', (t) => {
  const environment = {
    AGENT_OUTPUT_SERVERS: 'a:1,b',
    AGENT_OUTPUT_BUFFERSIZE: '7x',
    AGENT_LOG_LEVEL: 'DEBUG',
    AGENT_AGENT_PLUGINSDIR: '/usr',
  };
  const found = problemsOf(t, `[agent]\n${REGISTRY}\n`, { environment }).join('\n');
  assert.match(found, /^AGENT_OUTPUT_SERVERS, entry 2 = "b": must be host:port/m);
  assert.match(found, /^AGENT_OUTPUT_BUFFERSIZE = "7x": must be a whole number/m);
  assert.match(
    found,
    /^AGENT_LOG_LEVEL: this variable names no key of \[log\], did you mean AGENT_LOG_LOGLEVEL\?$/m,
  );
  assert.match(found, /^AGENT_AGENT_PLUGINSDIR = "\/usr": is a folder of the system/m);
});

test('passwords of addresses never stand in a message', (t) => {
  const problem = problemOf(t, 'git = "ftp://bob:s3cret@git.example.com/%s.git"');
  assert.doesNotMatch(problem, /s3cret/);
});

test('control characters of a file cannot reach the terminal through a message', (t) => {
  assert.match(problemOf(t, '"a\\u001b[2J\\nb" = 1'), /a\\x1b\[2J\\nb: unknown key/);
});

test('root without a user for plugins needs allowroot', (t) => {
  const lines = 'pluginsuser = ""';
  assert.match(problemOf(t, lines, { facts: AS_ROOT }), /would run plugins as root/);
  const allowed = `[agent]\n${REGISTRY}\n${lines}\n[runner]\nallowroot = true\n`;
  assert.equal(load(t, allowed, { facts: AS_ROOT }).config.runner.allowroot, true);
});

test('a token file is read without the blanks around, and refused when empty or open to all', (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'token');
  const lines = '[http]\ntokenfile = "token"';
  writeFileSync(file, '  t0ken\n', { mode: 0o600 });
  const { config } = load(t, `[agent]\n${REGISTRY}\n${lines}\n`, { folder });
  assert.equal(config.http.tokenfile, file);
  assert.ok(!JSON.stringify(config).includes('t0ken'));
  chmodSync(file, 0o644);
  assert.match(problemOf(t, lines, { folder }), /mode 0644\): run chmod o-rw/);
  chmodSync(file, 0o640);
  writeFileSync(file, ' \n');
  assert.match(problemOf(t, lines, { folder }), /is empty/);
  writeFileSync(file, 'two words\n');
  const problem = problemOf(t, lines, { folder });
  assert.match(problem, /tokenfile = ".*token": must hold one line/);
  assert.doesNotMatch(problem, /two words/);
});

test('a certificate without its key is named, and PEM files are looked into', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'cert.pem'), '-----BEGIN CERTIFICATE-----\n');
  mkdirSync(join(folder, 'sub'));
  assert.match(problemOf(t, '[output]\ntlscert = "cert.pem"', { folder }), /tlskey: is missing/);
  assert.match(problemOf(t, 'registryca = "agent.toml"', { folder }), /holds no PEM block/);
  assert.match(problemOf(t, 'registryca = "sub"', { folder }), /is a folder/);
});

test('a table or a key that stands twice is named with its second line', (t) => {
  for (const lines of ['[agent]\nlisten = ":1"', '[log]\n[log]', 'git = ""\ngit = ""']) {
    const [problem = ''] = problemsOf(t, `[agent]\nregistryaddr = "http://r"\n${lines}\n`);
    assert.match(
      problem,
      /^agent\.toml:[34]: not valid TOML: \S+ stands in the file already: put both parts/,
    );
  }
});
