import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isRunning } from '../../src/shared/process-identity.js';
import { readRunFolder } from '../../src/supervisor/lifecycle/run-folder.js';
import { type Call, call, makeSetting, type Setting, startCall } from '../support/command-line.js';
import { httpRequest } from '../support/http-request.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { waitUntil } from '../support/wait-until.js';

async function startInForeground(context: TestContext, { file }: Setting): Promise<Call> {
  const agent = startCall(context, ['start', '-f', file]);
  await agent.says(/running with pid/);
  return agent;
}

/** Starts an agent in the background that is ended after the test in any case; returns its pid. */
async function startInBackground(context: TestContext, { file }: Setting): Promise<number> {
  const { code, stdout, stderr } = await call(context, ['start', '--daemon', '-f', file]);
  const pid = Number(/running with pid (\d+)/.exec(stdout)?.[1]);
  assert.equal(code, 0, stderr);
  assert.ok(pid > 1, stdout);
  context.after(() => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Ended by the test itself.
    }
  });
  return pid;
}

test('in the foreground the agent answers status, and stop ends it', async (context) => {
  const setting = makeSetting(context);
  const agent = await startInForeground(context, setting);

  const status = await call(context, ['status', '-f', setting.file]);
  assert.equal(status.code, 0, status.stderr);
  assert.match(status.stdout, new RegExp(`pid ${agent.process.pid}, up `));
  assert.match(status.stdout, /HTTP on +127\.0\.0\.1:\d+ and .*\.sock/);
  const json = await call(context, ['status', '-f', setting.file, '--json']);
  assert.equal(JSON.parse(json.stdout).pid, agent.process.pid);

  const stop = await call(context, ['stop', '-f', setting.file]);
  assert.equal(stop.code, 0, stop.stderr);
  assert.match(stop.stdout, new RegExp(`stopped \\(pid ${agent.process.pid}\\)`));
  const { code, signal } = await agent.ended;
  assert.deepEqual([code, signal], [0, null]);
  assert.equal(readRunFolder(setting.rundir).kind, 'none');
});

test('the pid of the launcher is the pid of the agent', async (context) => {
  const setting = makeSetting(context);
  const agent = await startInForeground(context, setting);
  const state = readRunFolder(setting.rundir);
  assert.equal(state.kind === 'running' && state.record.pid, agent.process.pid);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} ends the agent in the foreground gracefully`, async (context) => {
    const setting = makeSetting(context);
    const agent = await startInForeground(context, setting);
    agent.process.kill(signal);
    // As from `make` or `timeout`, which pass on what the terminal sent already: not a second request.
    agent.process.kill(signal);
    const { code, signal: endedBy, stderr } = await agent.ended;
    assert.deepEqual([code, endedBy], [0, null], stderr);
    assert.match(stderr, new RegExp(`stopping, as ${signal} asks`));
    assert.equal(existsSync(join(setting.rundir, 'agent.json')), false);
    assert.equal(existsSync(join(setting.rundir, 'agent.sock')), false);
  });
}

test('a second start is refused with the pid of the first, in both forms', async (context) => {
  const setting = makeSetting(context);
  const agent = await startInForeground(context, setting);
  for (const words of [['start'], ['start', '--daemon']]) {
    const second = await call(context, [...words, '-f', setting.file]);
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`already running with pid ${agent.process.pid}`));
  }
  const status = await call(context, ['status', '-f', setting.file]);
  assert.equal(status.code, 0, 'the first goes on undisturbed');
});

test('of two agents started at the same time one runs', async (context) => {
  const setting = makeSetting(context);
  const agents = [0, 1].map(() => startCall(context, ['start', '-f', setting.file]));
  const first = await Promise.race(agents.map(({ ended }) => ended));
  assert.equal(first.code, 1);
  assert.match(first.stderr, /already running with pid \d+/);
  await waitUntil('the other runs', () => readRunFolder(setting.rundir).kind === 'running');
});

test('in the background it has a session and a working folder of its own, and survives its starter', async (context) => {
  const setting = makeSetting(context);
  const pid = await startInBackground(context, setting);
  assert.equal(readlinkSync(`/proc/${pid}/cwd`), '/');
  for (const descriptor of [0, 1, 2]) {
    assert.equal(readlinkSync(`/proc/${pid}/fd/${descriptor}`), '/dev/null');
  }
  const session = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[3];
  assert.equal(session, String(pid));

  process.kill(pid, 'SIGHUP');
  const status = await call(context, ['status', '-f', setting.file]);
  assert.equal(status.code, 0, 'a terminal that closes does not end it');

  const stop = await call(context, ['stop', '-f', setting.file]);
  assert.equal(stop.code, 0, stop.stderr);
  assert.equal(existsSync(`/proc/${pid}/cwd`), false);
});

test('in the background a start that fails says why, with its exit status', async (context) => {
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  context.after(() => other.close());
  const address = other.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const setting = makeSetting(context);
  writeFileSync(
    setting.file,
    readFileSync(setting.file, 'utf8').replace('"127.0.0.1:0"', `"127.0.0.1:${port}"`),
  );
  const { code, stderr } = await call(context, ['start', '--daemon', '-f', setting.file]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(String(port)));
  assert.equal(readRunFolder(setting.rundir).kind, 'none', 'it holds nothing');
});

test('a relative path of the configuration works in the background', async (context) => {
  const setting = makeSetting(context);
  const script = `cd '${setting.folder}' && exec '${join(PROJECT_ROOT, 'agent')}' start --daemon -f agent.toml`;
  const started = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  assert.equal(started.status, 0, started.stderr);
  const stop = await call(context, ['stop', '-f', setting.file]);
  assert.match(stop.stdout, /stopped/);
});

test('stop and status without -f find the agent of the default run folder', async (context) => {
  const setting = makeSetting(context);
  const environment = { AGENT_AGENT_RUNDIR: setting.rundir };
  await startInBackground(context, setting);
  const status = await call(context, ['status'], environment);
  assert.equal(status.code, 0, status.stderr);
  const stop = await call(context, ['stop'], environment);
  assert.equal(stop.code, 0);
  assert.match(stop.stdout, /stopped/);
});

test('of an agent that does not run, stop says so with 0 and status with 1', async (context) => {
  const { file } = makeSetting(context);
  const stop = await call(context, ['stop', '-f', file]);
  assert.equal(stop.code, 0);
  assert.match(stop.stdout, /not running/);
  const status = await call(context, ['status', '-f', file]);
  assert.equal(status.code, 1);
  assert.match(status.stderr, /not running/);
});

test('after kill -9 status says so, and the next start takes over', async (context) => {
  const setting = makeSetting(context);
  const killed = await startInForeground(context, setting);
  killed.process.kill('SIGKILL');
  await killed.ended;
  const status = await call(context, ['status', '-f', setting.file]);
  assert.equal(status.code, 1);
  assert.match(status.stderr, /not running.*ended without cleaning up/);
  const stop = await call(context, ['stop', '-f', setting.file]);
  assert.equal(stop.code, 0);

  const agent = await startInForeground(context, setting);
  agent.process.kill('SIGTERM');
  assert.equal((await agent.ended).code, 0);
});

test('a pid that another program got since is neither stopped nor in the way', async (context) => {
  const setting = makeSetting(context);
  const killed = await startInForeground(context, setting);
  killed.process.kill('SIGKILL');
  await killed.ended;
  const stranger = spawn('sleep', ['600'], { stdio: 'ignore' });
  context.after(() => stranger.kill('SIGKILL'));
  const file = join(setting.rundir, 'agent.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), pid: stranger.pid }));

  const stop = await call(context, ['stop', '-f', setting.file]);
  assert.equal(stop.code, 0);
  assert.match(stop.stdout, /not running/);
  assert.equal(stranger.exitCode ?? stranger.signalCode, null, 'the stranger was not signalled');
  await startInForeground(context, setting);
});

test('status says when the agent runs but does not answer', async (context) => {
  const setting = makeSetting(context);
  const agent = await startInForeground(context, setting);
  const state = readRunFolder(setting.rundir);
  assert.ok(state.record?.socketPath);
  spawnSync('rm', [state.record.socketPath]);
  const status = await call(context, ['status', '-f', setting.file]);
  assert.equal(status.code, 1);
  assert.match(status.stderr, new RegExp(`runs with pid ${agent.process.pid}, but does not answer`));
});

test('stop -m clean removes what the agent made, and nothing else', async (context) => {
  const setting = makeSetting(context);
  const plugins = join(setting.folder, 'plugins');
  const outside = join(setting.folder, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'precious'), '');
  const agent = await startInForeground(context, setting);
  makeStoredPlugin(plugins, 'web.shop', 'load');
  mkdirSync(join(plugins, '.incoming-abc', 'half'), { recursive: true });
  symlinkSync(outside, join(plugins, 'linked.namespace'));
  symlinkSync(outside, join(plugins, 'web.shop', '.load', 'linked'));
  symlinkSync(outside, join(plugins, 'web.shop', 'other'));
  mkdirSync(join(plugins, 'notes', '.git'), { recursive: true });
  writeFileSync(join(plugins, 'notes', '.git', 'HEAD'), '');
  mkdirSync(join(setting.folder, 'state'), { recursive: true });
  writeFileSync(join(setting.folder, 'state', 'registry.json'), '{}');
  writeFileSync(join(setting.folder, 'state', 'mine.txt'), '');

  const stop = await call(context, ['stop', '-f', setting.file, '-m', 'clean']);
  assert.equal(stop.code, 0, stop.stderr);
  assert.equal((await agent.ended).code, 0);
  assert.match(stop.stdout, new RegExp(`removed 1 plugin from ${plugins}`));
  assert.match(stop.stdout, /log files stay in /);
  assert.equal(existsSync(join(plugins, 'web.shop', 'load')), false);
  assert.equal(existsSync(join(plugins, 'web.shop', '.load', VERSION)), false);
  assert.equal(existsSync(join(plugins, '.incoming-abc')), false);
  assert.equal(existsSync(join(setting.folder, 'state', 'registry.json')), false);
  for (const foreign of [
    join(outside, 'precious'),
    join(plugins, 'web.shop', 'other', 'precious'),
    join(plugins, 'linked.namespace'),
    join(plugins, 'notes', '.git', 'HEAD'),
    join(setting.folder, 'state', 'mine.txt'),
    join(setting.folder, 'log', 'agent.log'),
  ]) {
    assert.equal(existsSync(foreign), true, `${foreign} was not made by the agent`);
  }
  assert.equal(existsSync(join(setting.rundir, 'agent.json')), false);
  assert.equal(existsSync(join(setting.rundir, 'last-run.json')), false);
});

test('stop -m clean removes the folders that the agent made, when nothing is left in them', async (context) => {
  const setting = makeSetting(context);
  const agent = await startInForeground(context, setting);
  makeStoredPlugin(join(setting.folder, 'plugins'), 'web.shop', 'load');
  agent.process.kill('SIGTERM');
  await agent.ended;
  // Without -f, after the agent has ended: the run folder remembers.
  const environment = { AGENT_AGENT_RUNDIR: setting.rundir };
  const stop = await call(context, ['stop', '-m', 'clean'], environment);
  assert.equal(stop.code, 0, stop.stderr);
  for (const folder of ['plugins', 'state', 'run']) {
    assert.equal(existsSync(join(setting.folder, folder)), false, folder);
  }
  const again = await call(context, ['stop', '-f', setting.file, '-m', 'clean']);
  assert.equal(again.code, 0, again.stderr);
});

test('stop -m clean removes folders above them that the agent made, too, but none that was there', async (context) => {
  const setting = makeSetting(context);
  const { folder } = setting;
  mkdirSync(join(folder, 'there'));
  const environment = {
    AGENT_AGENT_PLUGINSDIR: join(folder, 'new/agent/plugins'),
    AGENT_AGENT_STATEDIR: join(folder, 'new/agent/state'),
    AGENT_AGENT_RUNDIR: join(folder, 'there/new/run'),
  };
  for (let run = 0; run < 2; run += 1) {
    const agent = startCall(context, ['start', '-f', setting.file], environment);
    await agent.says(/running with pid/);
    agent.process.kill('SIGTERM');
    await agent.ended;
  }
  const stop = await call(context, ['stop', '-f', setting.file, '-m', 'clean'], environment);
  assert.equal(stop.code, 0, stop.stderr);
  assert.deepEqual(readdirSync(folder).sort(), ['agent.toml', 'log', 'out', 'registry.json', 'there']);
  assert.deepEqual(readdirSync(join(folder, 'there')), []);
});

test('stop -m clean works after kill -9', async (context) => {
  const setting = makeSetting(context);
  const agent = await startInForeground(context, setting);
  const state = readRunFolder(setting.rundir);
  agent.process.kill('SIGKILL');
  await agent.ended;
  assert.ok(state.record && !isRunning(state.record));
  makeStoredPlugin(join(setting.folder, 'plugins'), 'web.shop', 'load');
  const stop = await call(context, ['stop', '-m', 'clean'], { AGENT_AGENT_RUNDIR: setting.rundir });
  assert.equal(stop.code, 0, stop.stderr);
  assert.equal(existsSync(join(setting.folder, 'plugins')), false);
  assert.equal(existsSync(setting.rundir), false);
});

/** An agent whose points wait in a spool outside of its state folder. */
async function startWithSpool(
  context: TestContext,
): Promise<{ setting: Setting; spool: string; agent: Call }> {
  const setting = makeSetting(context);
  const spool = join(setting.folder, 'disk', 'spool');
  mkdirSync(join(setting.folder, 'disk'));
  // Port 1 belongs to nobody.
  const output = '[[outputs]]\nservers = ["127.0.0.1:1"]\nalias = "away"';
  appendFileSync(setting.file, `[spool]\ndir = "${spool}"\nmode = "always"\n${output}\n`);
  const agent = await startInForeground(context, setting);
  const { status } = await httpRequest(join(setting.rundir, 'agent.sock'), '/post?ns=web.shop', {
    method: 'POST',
    body: '[{"name":"a","value":1}]',
  });
  assert.equal(status, 200);
  assert.ok(readdirSync(join(spool, 'away')).some((file) => file.endsWith('.segment')));
  return { setting, spool, agent };
}

test('stop says how many points wait on disk, with -m clean that they are removed', async (context) => {
  const { setting, spool, agent } = await startWithSpool(context);
  const stop = await call(context, ['stop', '-f', setting.file]);
  assert.match(stop.stdout, /1 point waits on disk for the next start/);
  assert.equal((await agent.ended).code, 0);
  await startInForeground(context, setting);
  const clean = await call(context, ['stop', '-f', setting.file, '-m', 'clean']);
  assert.equal(clean.code, 0, clean.stderr);
  assert.match(clean.stdout, /removing 1 point not delivered yet/);
  assert.match(clean.stdout, new RegExp(`removed \\d+ spool files? from ${spool}`));
  assert.equal(existsSync(spool), false);
  assert.equal(existsSync(join(setting.folder, 'disk')), true, 'this folder was there before');
});

test('stop -m clean finds the spool of an agent that was killed, and leaves what is not its own', async (context) => {
  const { setting, spool, agent } = await startWithSpool(context);
  agent.process.kill('SIGKILL');
  await agent.ended;
  writeFileSync(join(spool, 'away', 'notes'), '');
  writeFileSync(join(spool, 'mine'), '');
  const clean = await call(context, ['stop', '-m', 'clean'], { AGENT_AGENT_RUNDIR: setting.rundir });
  assert.equal(clean.code, 0, clean.stderr);
  assert.match(clean.stdout, /what the agent did not make stays in .*: away\/notes, mine/);
  assert.deepEqual(readdirSync(spool).sort(), ['away', 'mine']);
  assert.deepEqual(readdirSync(join(spool, 'away')), ['notes']);
});

test('stop -m clean reads the record of a version that had no spool', async (context) => {
  const setting = makeSetting(context);
  const agent = await startInForeground(context, setting);
  agent.process.kill('SIGTERM');
  await agent.ended;
  const file = join(setting.rundir, 'last-run.json');
  const { spooldir, ...record } = JSON.parse(readFileSync(file, 'utf8'));
  assert.equal(spooldir, join(setting.folder, 'state', 'spool'));
  writeFileSync(file, JSON.stringify(record));
  const clean = await call(context, ['stop', '-m', 'clean'], { AGENT_AGENT_RUNDIR: setting.rundir });
  assert.equal(clean.code, 0, clean.stderr);
  assert.match(clean.stdout, new RegExp(`from ${setting.folder}/plugins`));
  assert.equal(existsSync(join(setting.folder, 'state')), false);
});

test('stop -m clean works with a configuration whose outputs have become wrong', async (context) => {
  const { setting, spool, agent } = await startWithSpool(context);
  appendFileSync(setting.file, '[[outputs]]\nname = "nowhere"\ncolour = 1\n');
  const clean = await call(context, ['stop', '-f', setting.file, '-m', 'clean']);
  assert.equal(clean.code, 0, clean.stderr);
  assert.equal((await agent.ended).code, 0);
  assert.equal(existsSync(spool), false);
});

test('check says where points go and where they wait', async (context) => {
  const setting = makeSetting(context);
  const outputs = `[[outputs]]
lookupd = ["http://bob:s3cret@lookup:4161"]
alias = "copy"
[[outputs]]
name = "influxdb"
url = "http://127.0.0.1:8086"
version = 2
organization = "o"
database = "%s"
`;
  appendFileSync(setting.file, outputs);
  const { code, stdout, stderr } = await call(context, ['check', '-f', setting.file]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /points to +the file .*\/out\/points$/m);
  assert.match(
    stdout,
    /points to +nsqd those that nsqlookupd http:\/\/lookup:4161 knows, topics .* \("copy"\)$/m,
  );
  assert.match(stdout, /points to +InfluxDB 2 at http:\/\/127\.0\.0\.1:8086, bucket <namespace>$/m);
  assert.match(
    stdout,
    new RegExp(`spool +overflow, in ${setting.folder}/state/spool, 1073741824 bytes at most`),
  );
  assert.doesNotMatch(stdout + stderr, /s3cret/);
});

const VERSION = '0123456789ab-01234567';

/** As the agent's own store lays it out. */
function makeStoredPlugin(plugins: string, namespace: string, project: string): void {
  const version = join(plugins, namespace, `.${project}`, VERSION);
  mkdirSync(version, { recursive: true });
  writeFileSync(join(version, 'plugin'), '#!/bin/sh\n');
  symlinkSync(`.${project}/${VERSION}`, join(plugins, namespace, project));
}
