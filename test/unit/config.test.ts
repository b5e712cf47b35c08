import assert from 'node:assert/strict';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configSchema } from '../../src/supervisor/config/config-schema.js';
import { loadConfig } from '../../src/supervisor/config/load-config.js';
import { isRecord, readToml } from '../../src/supervisor/config/toml-document.js';
import { AS_ROOT, AS_USER, load, problemOf, REGISTRY } from '../support/config-file.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const SAMPLE = join(PROJECT_ROOT, 'deploy/agent.sample.toml');

test('a file with only the registry has a default for everything else, as a user and as root', (t) => {
  const user = load(t, `[agent]\n${REGISTRY}\n`).config;
  assert.equal(user.agent.listen, '127.0.0.1:1232');
  assert.equal(user.agent.pluginsdir, '/home/eve/.local/share/agent/plugins');
  assert.equal(user.agent.pluginsuser, '');
  assert.equal(user.agent.rundir, '/run/user/1000/agent');
  assert.equal(user.log.logdir, '/home/eve/.local/state/agent/log');
  assert.equal(user.runner.threads, 2);
  const root = load(t, `[agent]\n${REGISTRY}\n`, { facts: AS_ROOT }).config;
  assert.equal(root.agent.pluginsdir, '/var/lib/agent/plugins');
  assert.equal(root.agent.pluginsuser, 'nobody');
  assert.equal(root.agent.rundir, '/run/agent');
  assert.equal(root.log.logdir, '/var/log/agent');
  assert.equal(root.runner.threads, 4);
});

test('without XDG_RUNTIME_DIR a user has the run folder below home', (t) => {
  const { config } = load(t, `[agent]\n${REGISTRY}\n`, { facts: { ...AS_USER, runtimeFolder: undefined } });
  assert.equal(config.agent.rundir, '/home/eve/.local/state/agent/run');
});

test('the file of a LodaStack Go agent loads as it is, as root and as a user', (t) => {
  const text = `[agent]
listen = "0.0.0.0:1232"
ifaceprefix = ["eth"]
ntpserver = ""
registryaddr = "https://registry.test.com"
pluginsdir = "/usr/local/agent-plugins"
pluginsuser = "user"
git = "git://git@git.test.com/%s.git"
[output]
name = "nsq"
servers = ["0.0.0.0:7777"]
buffersize = 1000
[trace]
collector = ["127.0.0.1:1"]
[member]
anything = {at = "all"}
[log]
logdir = "/tmp/agent/log"
loglevel = "DEBUG"
logrotatenum = 5
logrotatesize = 1887436800
`;
  for (const facts of [AS_ROOT, AS_USER]) {
    const { config, warnings } = load(t, text, { facts });
    assert.deepEqual(config.output.servers, ['127.0.0.1:7777'], 'all interfaces means this host');
    assert.equal(config.agent.listen, '0.0.0.0:1232');
    assert.equal(config.log.loglevel, 'debug');
    assert.equal(config.log.logrotatesize, 1_887_436_800);
    assert.equal(warnings.filter((line) => /\[trace\] and \[member\]/.test(line)).length, 1);
    assert.equal(warnings.filter((line) => /:4: \[agent\] ntpserver/.test(line)).length, 1);
  }
});

test('the sample file loads as it is, as root and as a user', () => {
  for (const facts of [AS_ROOT, AS_USER]) assert.deepEqual(loadConfig(SAMPLE, {}, facts).warnings, []);
});

test('the sample file and the schema name the same keys and defaults', () => {
  const text = readFileSync(SAMPLE, 'utf8');
  // Defaults that depend on the user or the machine stand there as comments, with their value for root.
  const withHostKeys = text.replaceAll(/^# ([a-z_]+ = (?:".*"|\d+|\[.*\]))$/gm, '$1');
  const defaults = configSchema({ facts: AS_ROOT, folder: '/' }).parse({});
  const { data } = readToml(withHostKeys);
  const { outputs, ...tables } = defaults;
  assert.deepEqual(outputs, []);
  assert.deepEqual(Object.keys(data), Object.keys(tables));
  for (const [name, table] of Object.entries(tables)) {
    const named = data[name];
    assert.ok(isRecord(named));
    assert.deepEqual(Object.keys(named), Object.keys(table), `keys of [${name}]`);
  }
  const agent = { ...defaults.agent, registryaddr: 'http://registry.example.com' };
  assert.deepEqual(configSchema({ facts: AS_ROOT, folder: '/' }).parse(data), { ...defaults, agent });
});

test('every key of the sample file has a comment before it', () => {
  let lastComment = false;
  for (const line of readFileSync(SAMPLE, 'utf8').split('\n')) {
    if (/^[a-z_]+ = /.test(line) && !line.startsWith('tlskey')) assert.ok(lastComment, line);
    lastComment = line.startsWith('# ');
  }
});

test('the configuration is frozen to its depth', (t) => {
  const { config } = load(t, `[agent]\n${REGISTRY}\n`);
  assert.ok(
    Object.isFrozen(config) && Object.isFrozen(config.output) && Object.isFrozen(config.output.servers),
  );
});

test('byte order mark, Windows line ends, dotted keys and inline tables are fine', (t) => {
  const text = `\ufeffagent.registryaddr = "http://r/"\r\nlog = { loglevel = "warning" }\r\n`;
  const { config } = load(t, text);
  assert.equal(config.agent.registryaddr, 'http://r');
  assert.equal(config.log.loglevel, 'warn');
});

test('relative paths begin at the folder of the file, and ~ is the home folder', (t) => {
  const folder = temporaryFolder(t);
  const text = '[agent]\nregistryaddr = "file:hosts.json"\npluginsdir = "p"\nstatedir = "~/s"\n';
  const { config, file } = load(t, text, { folder });
  assert.equal(file, join(folder, 'agent.toml'));
  assert.equal(config.agent.registryaddr, `file:${folder}/hosts.json`);
  assert.equal(config.agent.pluginsdir, join(folder, 'p'));
  assert.equal(config.agent.statedir, '/home/eve/s');
});

test('a link to a folder of the system is one', (t) => {
  const folder = temporaryFolder(t);
  symlinkSync('/usr', join(folder, 'link'));
  assert.match(problemOf(t, 'pluginsdir = "link"', { folder }), /folder of the system/);
});

test('servers that stand twice are taken once, and "all interfaces" is this host', (t) => {
  const servers = '["a:1", "a:1", "[::]:2", ":3", "[::1]:4"]';
  const { config } = load(t, `[agent]\n${REGISTRY}\n[output]\nservers = ${servers}\n`);
  assert.deepEqual(config.output.servers, ['a:1', '[::1]:2', '127.0.0.1:3', '[::1]:4']);
});

test('git templates of every allowed kind are taken', (t) => {
  const templates = [
    'git@git.example.com:%s.git',
    'ssh://git@[::1]:22/%s',
    'https://u:p@git/%s.git',
    'git@host:/srv/%s.git',
  ];
  for (const template of templates) {
    assert.equal(load(t, `[agent]\n${REGISTRY}\ngit = "${template}"\n`).config.agent.git, template);
  }
  const local = '[agent]\nregistryaddr = "file:r.json"\ngit = "file:///srv/git/%s.git"\n';
  assert.equal(load(t, local).config.agent.git, 'file:///srv/git/%s.git');
});

test('settings that are allowed and dangerous are warnings', (t) => {
  const open = load(t, `[agent]\n${REGISTRY}\nlisten = ":1232"\n[http]\ninsecure = true\n`).warnings;
  assert.match(open.join('\n'), /whoever reaches :1232 can run and change plugins/);
  const password = load(t, `[agent]\n${REGISTRY}\ngit = "https://u:s3cret@git/%s.git"\n`).warnings;
  assert.match(password.join('\n'), /holds a password/);
  assert.doesNotMatch(password.join('\n'), /s3cret/);
});

test('variables go before the file, read as the type of their key', (t) => {
  const environment = {
    AGENT_AGENT_REGISTRYADDR: 'https://other',
    AGENT_OUTPUT_SERVERS: 'a:1, b:2',
    AGENT_OUTPUT_BUFFERSIZE: '7',
    AGENT_RUNNER_GRACE: '0.5',
    AGENT_RUNNER_ALLOWROOT: 'true',
    AGENT_LOG_LOGLEVEL: 'Error',
    AGENT_NAMESPACE: 'not ours',
    AGENTS_LOG_X: 'not ours',
  };
  const { config, warnings } = load(t, '[output]\nservers = "wrong, but not asked"\n', { environment });
  assert.equal(config.agent.registryaddr, 'https://other');
  assert.deepEqual(config.output.servers, ['a:1', 'b:2']);
  assert.equal(config.output.buffersize, 7);
  assert.equal(config.runner.grace, 0.5);
  assert.equal(config.runner.allowroot, true);
  assert.equal(config.log.loglevel, 'error');
  assert.deepEqual(warnings, []);
});

test('variables that look like settings and set nothing are named in one warning, without their values', (t) => {
  const environment = {
    AGENT_AGENT_REGISTRYADDR: 'https://r',
    AGENT_LISTEN: 's3cret',
    AGENT_LGO_LOGLEVEL: 's3cret',
    AGENT_LOG: 's3cret',
    'AGENT_\u001b[31m': 's3cret',
    AGENT_COLOUR: 'for plugins',
    // What a plugin of another agent inherits.
    AGENT_PLUGIN: 'disk',
    AGENT_STATE: '/var/lib/agent/state',
    AGENT_NOHUP: '1',
  };
  const { warnings } = load(t, '[runner]\nenvironment = ["AGENT_COLOUR"]\n', { environment });
  assert.deepEqual(warnings, [
    'these variables set no key: AGENT_LISTEN, AGENT_LGO_LOGLEVEL, AGENT_LOG, AGENT_\\x1b[31m; ' +
      'those that do are AGENT_<TABLE>_<KEY>, like AGENT_LOG_LOGLEVEL',
  ]);
});

test('of very many variables that set nothing the first are named', (t) => {
  const strange = Array.from({ length: 22 }, (_, number) => [`AGENT_X${number}_Y`, '']);
  const environment = { AGENT_AGENT_REGISTRYADDR: 'https://r', ...Object.fromEntries(strange) };
  assert.match(
    load(t, '', { environment }).warnings.join('\n'),
    /AGENT_X18_Y, AGENT_X19_Y and 2 more; those/,
  );
});

test('a list in a variable may be written as in the file too', (t) => {
  const environment = { AGENT_AGENT_REGISTRYADDR: 'https://r', AGENT_OUTPUT_SERVERS: '["a:1", "b:2"]' };
  assert.deepEqual(load(t, '', { environment }).config.output.servers, ['a:1', 'b:2']);
});
