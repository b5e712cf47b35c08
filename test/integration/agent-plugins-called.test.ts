import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Body } from '../support/answer-body.js';
import { commitTo } from '../support/git-repository.js';
import { hangingServer } from '../support/git-server.js';
import {
  callPlugin,
  listed,
  NAMESPACE,
  PluginRepositories,
  PRINT_UP,
  pluginItem,
  startWithPlugins,
} from '../support/plugin-item.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

test('a plugin that only runs on demand may print anything; a list of metrics is sent', async (t) => {
  const repositories = new PluginRepositories(t);
  const scripts: Readonly<Record<string, string>> = {
    list: PRINT_UP,
    text: 'echo "all is well"',
    nothing: ':',
    binary: `printf '\\377\\000\\001'`,
    numbers: `echo '[1,2,3]'`,
    mixed: `echo '[{"name":"up","value":1},{"name":"down"}]'`,
    failing: 'echo half; echo why >&2; exit 3',
  };
  const items = Object.entries(scripts).map(([name, script]) =>
    pluginItem(name, repositories.make(name, script), '0'),
  );
  const agent = await startWithPlugins(t, items);
  const answers: Record<string, Body<'/plugins/run'>> = {};
  for (const { git = '', name = '' } of items)
    answers[name.slice(7)] = (await callPlugin(agent, 'run', git)).body;
  const brief = Object.entries(answers).map(([name, { status, value, points, badMetrics }]) => [
    name,
    status,
    value,
    points,
    badMetrics,
  ]);
  assert.deepEqual(brief, [
    ['list', 'ok', 0, 1, 0],
    ['text', 'ok', 0, 0, 0],
    ['nothing', 'ok', 0, 0, 0],
    ['binary', 'ok', 0, 0, 0],
    ['numbers', 'ok', 0, 0, 0],
    ['mixed', 'ok', 0, 1, 1],
    ['failing', 'exit', 3, 0, 0],
  ]);
  assert.equal(answers.text?.stdout, 'all is well\n');
  assert.equal(answers.failing?.stdout, 'half\n');
  assert.equal(answers.failing?.stderr, 'why\n');
  const names = (
    await waitUntil('all is sent', () => agent.documents().length === 9 && agent.documents())
  ).map(({ points: [point] }) => `${point?.measurement} ${point?.tags.type ?? ''}`.trim());
  assert.deepEqual(names.filter((name) => name.startsWith('PLUGIN.')).sort(), [
    'PLUGIN.list.up',
    'PLUGIN.mixed.up',
  ]);
  assert.equal(names.filter((name) => name.endsWith(' call')).length, 7, 'a run metric each');
});

test('a called run takes param and timeout, is alone, works while disabled, and says what is unknown', async (t) => {
  const repositories = new PluginRepositories(t);
  const gate = join(temporaryFolder(t), 'gate');
  const echoing = repositories.make('echoing', 'printf "<%s>" "$@"');
  const slow = repositories.make('slow', 'while [ ! -e "$1" ]; do sleep 0.05; done');
  const missing = repositories.make('missing', { files: { readme: 'no plugin here' } });
  const agent = await startWithPlugins(t, [
    pluginItem('echoing', echoing, '0', { parameters: 'of  the registry' }),
    pluginItem('slow', slow, '0'),
    pluginItem('missing', missing, '0'),
  ]);
  assert.equal((await callPlugin(agent, 'run', echoing)).body.stdout, '<of><the><registry>');
  const shell = encodeURIComponent(' $(id)  "a b" ;ls ');
  assert.equal(
    (await callPlugin(agent, 'run', echoing, `&param=${shell}`)).body.stdout,
    '<$(id)><"a><b"><;ls>',
  );
  assert.equal((await callPlugin(agent, 'run', echoing, '&param=')).body.stdout, '<>');
  assert.equal((await callPlugin(agent, 'disable', echoing)).status, 200);
  assert.equal((await callPlugin(agent, 'run', echoing)).body.status, 'ok', 'whoever calls for it means it');

  const first = callPlugin(agent, 'run', slow, `&timeout=60&param=${encodeURIComponent(gate)}`);
  await waitUntil('it runs', async () => (await listed(agent, 'slow')).running);
  const second = await callPlugin(agent, 'run', slow);
  assert.deepEqual([second.status, second.body.error?.code], [409, 'running']);
  writeFileSync(gate, '');
  assert.equal((await first).body.status, 'ok');
  const { status, value, problem } = (await callPlugin(agent, 'run', slow, '&timeout=0.5')).body;
  assert.deepEqual([status, value], ['timeout', 124]);
  assert.match(problem ?? '', /plugin slow took longer than 500 ms/);

  const unknown = await callPlugin(agent, 'run', 'https://git.example.com/ops/unknown.git');
  assert.equal(unknown.status, 404);
  assert.match(unknown.body.error?.message ?? '', /the registry knows no plugin https:.*unknown\.git/);
  const unfetched = await callPlugin(agent, 'run', missing);
  assert.equal(unfetched.status, 502);
  assert.match(
    unfetched.body.error?.message ?? '',
    /web\.shop\/missing cannot be run: .*has no file "plugin" at its root/,
  );
});

test('a called run never takes longer than maxtimeout, whatever the call says', async (t) => {
  const slow = new PluginRepositories(t).make('slow', 'exec sleep 600');
  const agent = await startWithPlugins(t, [pluginItem('slow', slow, '0')], { runner: 'maxtimeout = 1' });
  const { status, problem } = (await callPlugin(agent, 'run', slow, '&timeout=300')).body;
  assert.equal(status, 'timeout');
  assert.match(problem ?? '', /took longer than 1000 ms/);
});

test('an update leaves a run on the version that it began with; a broken version never gets in', async (t) => {
  const repositories = new PluginRepositories(t);
  const gate = join(temporaryFolder(t), 'gate');
  const script = (version: number) => `#!/bin/sh
cat ./version >&2
while [ -n "$1" ] && [ ! -e "$1" ]; do sleep 0.05; done
cat ./version
[ "$(cat ./version)" = ${version} ]
`;
  const repo = repositories.make('growing', { plugin: script(1), files: { version: '1' } });
  const agent = await startWithPlugins(t, [pluginItem('growing', repo, '0')]);
  const running = callPlugin(agent, 'run', repo, `&timeout=60&param=${encodeURIComponent(gate)}`);
  await waitUntil('it runs', async () => (await listed(agent, 'growing')).running);
  const folder = repositories.folderOf('growing');
  const release = commitTo(folder, { branch: 'release', plugin: script(2), files: { version: '2' } });
  const update = (await callPlugin(agent, 'update', repo)).body;
  assert.deepEqual([update.ok, update.after, update.changed], [true, release, true]);
  writeFileSync(gate, '');
  const old = (await running).body;
  assert.deepEqual([old.status, old.stdout], ['ok', '1']);
  assert.equal(
    (await callPlugin(agent, 'run', repo)).body.stdout,
    '2',
    'the branch release counts from now on',
  );

  commitTo(folder, { branch: 'release', plugin: script(3), files: { version: '3' }, executables: [] });
  commitTo(folder, { branch: 'release', links: { link: 'plugin' } });
  const again = await callPlugin(agent, 'update', repo);
  assert.equal(again.status, 200, 'the executable bit stays in git');
  commitTo(folder, { branch: 'release', plugin: '' });
  const broken = await callPlugin(agent, 'update', repo);
  assert.equal(broken.status, 502);
  assert.match(broken.body.error?.message ?? '', /"plugin" is an empty file/);
  assert.equal((await callPlugin(agent, 'run', repo)).body.stdout, '3', 'the version before stays');
});

test('a plugin that leaves the registry while a call waits for its files is one that nobody knows', async (t) => {
  const server = await hangingServer(t);
  const repo = `${server.address}/x`;
  const agent = await startWithPlugins(t, [pluginItem('hanging', repo, '0')]);
  const call = callPlugin(agent, 'run', repo);
  await waitUntil('git asks the server', () => server.connections.size > 0);
  agent.changeRegistry({ [NAMESPACE]: [] });
  const { status, body } = await call;
  assert.deepEqual([status, body.error?.code], [404, 'unknown-plugin']);
});
