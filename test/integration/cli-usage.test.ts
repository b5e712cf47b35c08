import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { call, makeSetting, startCall } from '../support/command-line.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const COMMANDS = ['start', 'stop', 'status', 'check', 'demo', 'version'];

test('without arguments the help goes to stderr and the exit status is 2', async (context) => {
  const { code, stdout, stderr } = await call(context, []);
  assert.equal(code, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /^Usage: agent COMMAND/);
});

for (const words of [['help'], ['--help'], ['-h'], ['help', 'help']]) {
  test(`"agent ${words.join(' ')}" lists the commands on stdout`, async (context) => {
    const { code, stdout, stderr } = await call(context, words);
    assert.equal(code, 0);
    assert.equal(stderr, '');
    for (const command of COMMANDS) assert.match(stdout, new RegExp(`^  ${command} `, 'm'));
  });
}

for (const command of COMMANDS) {
  test(`"agent ${command} --help" and "agent help ${command}" teach it with an example`, async (context) => {
    const asked = await call(context, [command, '--help']);
    assert.equal(asked.code, 0);
    assert.match(asked.stdout, new RegExp(`^agent ${command}`));
    assert.match(asked.stdout, /Examples?:\n/);
    const helped = await call(context, ['help', command]);
    assert.equal(helped.stdout, asked.stdout);
    // Also where the rest of the call is wrong.
    const wrong = await call(context, [command, '--nonsense', '-h']);
    assert.equal(wrong.stdout, asked.stdout);
  });
}

for (const command of ['check', 'new']) {
  test(`"agent plugin ${command} --help", "agent help plugin ${command}" and "agent help plugin" teach it`, async (context) => {
    const asked = await call(context, ['plugin', command, '--help']);
    assert.equal(asked.code, 0);
    assert.match(asked.stdout, new RegExp(`^agent plugin ${command}`));
    assert.match(asked.stdout, /Examples?:\n/);
    assert.equal((await call(context, ['help', 'plugin', command])).stdout, asked.stdout);
    for (const words of [
      ['help', 'plugin'],
      ['plugin', '--help'],
    ]) {
      assert.ok((await call(context, words)).stdout.includes(asked.stdout.trim()));
    }
  });
}

for (const words of [['version'], ['--version']]) {
  test(`"agent ${words[0]}" prints the version`, async (context) => {
    const { code, stdout } = await call(context, words);
    assert.equal(code, 0);
    assert.match(stdout, /^agent \d+\.\d+\.\d+ \(Node\.js v\d+/);
  });
}

for (const [words, sentence] of [
  [['strat'], /no command "strat"; did you mean "start"\?/],
  [['quux'], /no command "quux"; there are start, stop/],
  [['--verbose'], /no option --verbose before the command/],
  [['help', 'strat'], /no command "strat"/],
  [['start'], /start needs its configuration: -f FILE/],
  [['start', '-f'], /-f needs a value/],
  [['start', '-f', ''], /start needs its configuration/],
  [['start', '-f', '-c'], /-f needs a value/],
  [['start', 'agent.toml'], /"agent.toml" is one word too many; the configuration is given with -f FILE/],
  [['start', '-f', 'a', '-f', 'b'], /-f is given 2 times/],
  [['start', '-f', 'a', '--daemn'], /no option --daemn, did you mean --daemon\?/],
  [['start', '-f', 'a', '--daemon=yes'], /--daemon takes no value/],
  [['check'], /check needs its configuration/],
  [['stop', '-m', 'wipe'], /no mode "wipe" \(-m\); the only one is "clean"/],
  [['stop', 'now'], /"now" is one word too many/],
  [['status', '-x'], /no option -x/],
  [['version', '--long'], /no option --long/],
  [['plugin'], /"plugin" needs one more word: there are "plugin check" and "plugin new"/],
  [['plugin', 'chek', 'x.so'], /there is no "plugin chek": there are "plugin check" and "plugin new"/],
  [['plugin', 'check'], /plugin check needs the file of a library/],
  [['plugin', 'check', 'a.so', 'b.so'], /"b.so" is one word too many/],
  [['plugin', 'check', '--jsn', 'a.so'], /no option --jsn, did you mean --json\?/],
  [['plugin', 'new'], /plugin new needs a name/],
  [['help', 'plugin', 'check', 'more'], /help takes the name of one command/],
] as const) {
  test(`"agent ${words.join(' ')}" is refused with exit status 2 and the way out`, async (context) => {
    const { code, stdout, stderr } = await call(context, words);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, sentence);
    assert.match(stderr, /Try "agent help/);
  });
}

for (const words of [
  ['start', '-f'],
  ['start', '--daemon', '-f'],
  ['check', '-f'],
]) {
  test(`"agent ${words.join(' ')}" with a wrong configuration starts nothing, exit status 2`, async (context) => {
    const { folder, file } = makeSetting(context, 'lisssten = "127.0.0.1:0"\npostprefix = 7');
    const { code, stderr } = await call(context, [...words, file]);
    assert.equal(code, 2);
    assert.match(stderr, /lisssten/);
    assert.match(stderr, /postprefix/, 'all problems are said at once');
    const left = spawnSync('ls', [folder], { encoding: 'utf8' }).stdout.trim().split('\n');
    assert.deepEqual(left, ['agent.toml', 'out', 'registry.json']);
  });
}

test('a configuration that is not there is refused with exit status 2', async (context) => {
  const { code, stderr } = await call(context, ['start', '-f', join(temporaryFolder(context), 'no.toml')]);
  assert.equal(code, 2);
  assert.match(stderr, /no\.toml: there is no such configuration file/);
});

test('check says what would run and makes nothing', async (context) => {
  const { folder, file } = makeSetting(context);
  const { code, stdout } = await call(context, ['check', '-f', file]);
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`^ok: ${file}$`, 'm'));
  assert.match(stdout, /HTTP on +127\.0\.0\.1:0/);
  assert.match(stdout, new RegExp(`points to +the file ${folder}/out/points`));
  const left = spawnSync('ls', [folder], { encoding: 'utf8' }).stdout.trim().split('\n');
  assert.deepEqual(left, ['agent.toml', 'out', 'registry.json']);
});

test('check and start warn of variables that set no key, and go on', async (context) => {
  const { file } = makeSetting(context);
  const environment = { AGENT_LISTEN: '127.0.0.1:7' };
  const { code, stderr } = await call(context, ['check', '-f', file], environment);
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /^agent: warning: these variables set no key: AGENT_LISTEN; those that do are AGENT_<T/m,
  );
  const agent = startCall(context, ['start', '-f', file], environment);
  await agent.says(/running with pid/);
  agent.process.kill('SIGTERM');
  // The log goes its own way to stderr.
  const log = (await agent.ended).stderr;
  assert.equal(log.match(/WARNING +these variables set no key: AGENT_LISTEN;/g)?.length, 1, log);
});

test('check warns of a registry file that is not there', async (context) => {
  const { folder, file } = makeSetting(context);
  rmSync(join(folder, 'registry.json'));
  const { code, stderr } = await call(context, ['check', '-f', file]);
  assert.equal(code, 0);
  assert.match(stderr, /warning: .*there is no file .*registry\.json/);
});

test('plugins of another user are refused when the agent does not run as root', async (context) => {
  const { file } = makeSetting(context, 'pluginsuser = "daemon"');
  const asUser = process.geteuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const { status, stderr } = spawnSync(join(PROJECT_ROOT, 'agent'), ['start', '-f', file], {
    encoding: 'utf8',
    ...asUser,
  });
  assert.equal(status, 2);
  assert.match(stderr, /pluginsuser is "daemon".*only root can start programs as another user/);
});

test('the launcher works through a symbolic link and from any folder', (context) => {
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, 'bin'));
  symlinkSync(join(PROJECT_ROOT, 'agent'), join(folder, 'bin', 'real'));
  symlinkSync('real', join(folder, 'bin', 'my-agent'));
  const result = spawnSync(join(folder, 'bin', 'my-agent'), ['--version'], { cwd: '/', encoding: 'utf8' });
  assert.equal(result.status, 0, result.stderr);
});

for (const [version, sentence] of [
  ['v18.20.0', /Node\.js v18\.20\.0 .* is too old: install 20\.19 or newer/],
  ['v20.18.3', /Node\.js v20\.18\.3 .* is too old/],
] as const) {
  test(`the launcher refuses Node.js ${version}`, (context) => {
    const folder = temporaryFolder(context);
    writeFileSync(join(folder, 'node'), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
    const result = spawnSync(join(PROJECT_ROOT, 'agent'), ['--version'], {
      env: { PATH: `${folder}:/usr/bin:/bin` },
      encoding: 'utf8',
    });
    assert.equal(result.status, 1);
    assert.match(result.stderr, sentence);
  });
}

test('the launcher says when Node.js is missing, and when the agent is not built', (context) => {
  const folder = temporaryFolder(context);
  for (const tool of ['readlink', 'dirname', 'sh']) {
    const found = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim();
    symlinkSync(found, join(folder, tool));
  }
  const run = (launcher: string) =>
    spawnSync(launcher, ['--version'], { env: { PATH: folder }, encoding: 'utf8' });
  assert.match(run(join(PROJECT_ROOT, 'agent')).stderr, /there is no "node" in PATH/);

  symlinkSync(process.execPath, join(folder, 'node'));
  const copy = join(folder, 'copy');
  spawnSync('cp', [join(PROJECT_ROOT, 'agent'), copy]);
  const result = run(copy);
  assert.equal(result.status, 1);
  assert.match(result.stderr, /it is not built yet: run "make build"/);
});

test('a reader that has seen enough is no failure', () => {
  const script = `set -o pipefail; '${join(PROJECT_ROOT, 'agent')}' help | head -1`;
  const result = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  assert.equal(result.stdout, 'Usage: agent COMMAND [OPTIONS]\n');
  assert.equal(result.stderr, '');
});
