import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import { call, makeSetting, startCall } from '../support/command-line.js';
import { makeRepository } from '../support/git-repository.js';
import { lastingPort } from '../support/lasting-port.js';
import { pluginItem, startWithPlugins } from '../support/plugin-item.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const LAUNCHER = join(PROJECT_ROOT, 'agent');

async function takenPort(context: TestContext): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(new RegExp(pattern, 'g'))].length;
}

test('with the tables of a LodaStack file, registry and nsqd away, it starts, warns once of each thing, and stays', async (t) => {
  const agent = await AgentProcess.start(t, {
    registryAddress: `http://operator:hidden@127.0.0.1:${await lastingPort()}`,
    agent: 'ntpserver = "ntp.test.com"\ngit = "git://git@git.test.com/%s.git"',
    output: `name = "nsq"\nservers = ["0.0.0.0:${await lastingPort()}"]\nbuffersize = 1000\n[trace]\ncollector = []\n[member]\nx = 1`,
  });
  const status = await waitUntil('the registry was asked', async () => {
    const answer = await agent.call('/me/status');
    return answer.body.registry.problem !== undefined && answer;
  });
  assert.equal(status.status, 200);
  assert.match(status.body.registry.problem ?? '', /refuses connections/);
  assert.equal((await agent.call('/update')).status, 502);
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.equal(count(agent.stderr, /\[trace\] and \[member\]/), 1);
  assert.equal(count(agent.stderr, /ntpserver/), 1);
  const log = readFileSync(join(agent.folder, 'log', 'agent.log'), 'utf8');
  assert.doesNotMatch(agent.stderr + log + JSON.stringify(status.body), /hidden/);
});

test('an address that is open to other hosts is warned about once', async (context) => {
  const { file } = makeSetting(context);
  const agent = startCall(context, ['start', '-f', file], { AGENT_AGENT_LISTEN: '0.0.0.0:0' });
  await agent.says(/running with pid/);
  agent.process.kill('SIGTERM');
  // The log goes its own way to stderr.
  const { stderr } = await agent.ended;
  assert.equal(count(stderr, /WARNING/), 1, stderr);
  assert.match(stderr, /403 until \[http\] tokenfile is set/);
});

test('a port that is taken is said in one sentence, without the inside of the program', async (context) => {
  const { file } = makeSetting(context);
  const port = await takenPort(context);
  const { code, stderr } = await call(context, ['start', '-f', file], {
    AGENT_AGENT_LISTEN: `127.0.0.1:${port}`,
  });
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}: another program listens there`));
  assert.equal(count(stderr, new RegExp(String(port))), 1, stderr);
  assert.doesNotMatch(stderr, /node:net|EADDRINUSE/);
});

test('a second start names the way to stop the first', async (context) => {
  const { file } = makeSetting(context);
  const agent = startCall(context, ['start', '-f', file]);
  await agent.says(/running with pid/);
  const second = await call(context, ['start', '-f', file]);
  const words = /"agent (stop -f [^"]+)" ends it/.exec(second.stderr)?.[1]?.split(' ') ?? [];
  const stop = await call(context, words);
  assert.equal(stop.code, 0, second.stderr);
  assert.equal((await agent.ended).code, 0);
});

test('stop and status without -f say how to find an agent with a run folder of its own', async (context) => {
  const { rundir } = makeSetting(context);
  const environment = { AGENT_AGENT_RUNDIR: rundir };
  assert.match((await call(context, ['stop'], environment)).stdout, /not running .*with -f/);
  assert.match((await call(context, ['status'], environment)).stderr, /not running .*with -f/);
});

test('stderr on a full disk does not end the agent', { skip: !existsSync('/dev/full') }, async (context) => {
  const { file, rundir } = makeSetting(context);
  const agent = spawn(LAUNCHER, ['start', '-f', file], {
    stdio: ['ignore', 'ignore', openSync('/dev/full', 'w')],
  });
  const ended = once(agent, 'exit');
  context.after(() => agent.kill('SIGKILL'));
  await waitUntil('it is up', () => /tcpAddress/.test(readIfThere(join(rundir, 'agent.json'))));
  assert.equal((await call(context, ['status', '-f', file])).code, 0);
  agent.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
});

function readIfThere(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

test('SIGTERM while it is starting ends it gracefully', async (context) => {
  const { file, rundir } = makeSetting(context);
  const agent = startCall(context, ['start', '-f', file]);
  await waitUntil('it has begun', () => existsSync(join(rundir, 'agent.json')));
  agent.process.kill('SIGTERM');
  const { code, signal, stderr } = await agent.ended;
  assert.deepEqual([code, signal], [0, null], stderr);
  assert.deepEqual(readdirSync(rundir), ['last-run.json']);
});

test('stop twice loses nothing more than one stop, and both say what could not be delivered', async (t) => {
  const agent = await AgentProcess.start(t, {
    output: `name = "nsq"\nservers = ["127.0.0.1:${await lastingPort()}"]`,
    spool: 'mode = "off"',
  });
  const post = agent.call('/post?ns=web.shop', '[{"name": "a", "value": 1}, {"name": "b", "value": 2}]');
  post.catch(() => undefined);
  await waitUntil('it is in memory', async () => (await agent.outputStatus()).memoryPoints === 2);
  const words = ['stop', '-f', join(agent.folder, 'agent.toml')];
  const stops = [call(t, words), call(t, words)];
  const again = () => {
    process.kill(agent.pid, 'SIGTERM');
    return /SIGTERM once more: it is stopping already/.test(agent.stderr);
  };
  await waitUntil('a further signal is taken for what it is', again);
  for (const { code, stdout, stderr } of await Promise.all(stops)) {
    assert.equal(code, 0, stderr);
    assert.match(stdout, /stopped/);
    assert.match(stderr, /lost 2 points in 1 document that could not be delivered/);
  }
  assert.equal((await post).status, 503);
});

test('a plugin that outlives its SIGTERM does not cost the caller of /plugins/run his answer', async (t) => {
  const started = join(temporaryFolder(t), 'started');
  mkdirSync(started);
  chmodSync(started, 0o777);
  const repo = makeRepository(join(temporaryFolder(t), 'stubborn'), {
    plugin: `#!/bin/sh\ntrap '' TERM\n: >${started}/it\nwhile :; do sleep 0.1; done\n`,
  });
  const agent = await startWithPlugins(t, [pluginItem('stubborn', repo, '0')], {
    // More than the few seconds that requests get otherwise.
    runner: 'grace = 6',
  });
  const run = agent.call(`/plugins/run?ns=web.shop&repo=${encodeURIComponent(repo)}&timeout=60`);
  run.catch(() => undefined);
  await waitUntil('it runs', () => existsSync(join(started, 'it')));
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.equal((await run).body.signal, 'SIGKILL');
});

test('the demo leaves nothing behind when it is ended while it is still preparing', async (context) => {
  const scratch = temporaryFolder(context);
  const demo = startCall(context, ['demo', '--listen', '127.0.0.1:0'], { TMPDIR: scratch });
  await waitUntil('it has begun', () => readdirSync(scratch).length > 0);
  demo.process.kill('SIGINT');
  const { code, signal } = await demo.ended;
  assert.deepEqual([code, signal], [0, null]);
  assert.deepEqual(readdirSync(scratch), []);
});

test('a demo with a wrong address is a wrong call', async (context) => {
  const scratch = temporaryFolder(context);
  const { code, stderr } = await call(context, ['demo', '--listen', 'localhost'], { TMPDIR: scratch });
  assert.equal(code, 2);
  assert.match(stderr, /--listen "localhost" is no address/);
  assert.deepEqual(readdirSync(scratch), []);
});

test("the demo's curl lines lead to it when it listens on every address", async (context) => {
  const scratch = temporaryFolder(context);
  const demo = startCall(context, ['demo', '--listen', '0.0.0.0:0'], { TMPDIR: scratch });
  const url = /curl '(\S+\/plugins\/list)'/.exec(await demo.says(/\/post\?/))?.[1] ?? '';
  assert.equal((await fetch(url)).status, 200);
  demo.process.kill('SIGINT');
  assert.equal((await demo.ended).code, 0);
});

test('the launcher says so when it is called in a folder that is gone', (context) => {
  const folder = join(temporaryFolder(context), 'gone');
  mkdirSync(folder);
  const script = `cd '${folder}' && rmdir '${folder}' && '${LAUNCHER}' version`;
  const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /folder that you are in does not exist/);
  assert.throws(() => rmdirSync(folder), /ENOENT/);
});

test('an agent whose configuration has become wrong since is found and stopped all the same', async (context) => {
  const { file } = makeSetting(context);
  const agent = startCall(context, ['start', '-f', file]);
  await agent.says(/running with pid/);
  const text = readFileSync(file, 'utf8');
  const wrong = text.replace('name = "file"', 'name = "nqs"\ntlsca = "/nowhere.pem"');
  writeFileSync(file, wrong.replace('[agent]', '[agent]\nrundirr = "/x"'));
  assert.equal((await call(context, ['stop', '-f', file])).code, 2, 'which folder is meant is in doubt');
  writeFileSync(file, wrong);
  assert.equal((await call(context, ['check', '-f', file])).code, 2);
  const status = await call(context, ['status', '-f', file]);
  assert.equal(status.code, 0, status.stderr);
  const stop = await call(context, ['stop', '-f', file, '-m', 'clean']);
  assert.equal(stop.code, 0, stop.stderr);
  assert.match(stop.stdout, /stopped/);
  assert.equal((await agent.ended).code, 0);
});

test('a plugin that cannot be noted as disabled is disabled until the agent ends, and the caller is told', async (t) => {
  const repo = makeRepository(join(temporaryFolder(t), 'load'), { plugin: '#!/bin/sh\necho []\n' });
  const agent = await startWithPlugins(t, [pluginItem('load', repo, '0')]);
  // Not before its spool is open: nothing is written to the folder by then.
  await agent.outputStatus();
  const state = join(agent.folder, 'state');
  rmSync(state, { recursive: true });
  writeFileSync(state, 'in the way');
  const answer = await agent.call(`/plugins/disable?ns=web.shop&repo=${encodeURIComponent(repo)}`);
  assert.equal(answer.body.ok, false);
  assert.match(answer.body.error?.message ?? '', /is disabled, but only until the agent ends/);
  assert.equal((await agent.call('/plugins/list')).body.plugins[0]?.enabled, false);
});

test('under nohup the terminal may close', async (context) => {
  const { file, rundir } = makeSetting(context);
  const agent = spawn('nohup', [LAUNCHER, 'start', '-f', file], { stdio: 'ignore' });
  const ended = once(agent, 'exit');
  context.after(() => agent.kill('SIGKILL'));
  await waitUntil('it is up', () => /tcpAddress/.test(readIfThere(join(rundir, 'agent.json'))));
  agent.kill('SIGHUP');
  assert.equal((await call(context, ['status', '-f', file])).code, 0);
  agent.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
});
