import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AgentProcess, type RegistryItem } from '../support/agent-process.js';
import { makeRepository } from '../support/git-repository.js';
import { listed, plugins } from '../support/plugin-item.js';
import { RegistryServer } from '../support/registry-server.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const FILE_PROTOCOL = 'gitprotocols = ["file"]';

/** A registry that knows this host, running until the test ends. */
async function startRegistry(t: TestContext): Promise<RegistryServer> {
  const server = new RegistryServer();
  server.hosts.add(hostname());
  await server.start();
  t.after(async () => {
    await server.stop();
    assert.deepEqual(server.violations, [], 'the agent asked what a registry would not understand');
  });
  return server;
}

function makePlugin(t: TestContext, name: string, value = '1'): string {
  return makeRepository(join(temporaryFolder(t), name), {
    plugin: `#!/bin/sh\necho '[{"name":"up","value":${value},"tags":{"arguments":"'"$*"'"}}]'\n`,
  });
}

function item(name: string, git: string, interval = '1', more: RegistryItem = {}): RegistryItem {
  return { _id: 'x', measurement_type: 'PLUGIN', name: `PLUGIN.${name}`, git, interval, ...more };
}

/** What the plugin's own points say, in the order in which they came. */
function argumentsOf(agent: AgentProcess, name: string): string[] {
  return agent
    .documents()
    .flatMap(({ points }) => points)
    .filter(({ measurement }) => measurement === `PLUGIN.${name}.up`)
    .map(({ tags }) => tags.arguments ?? '');
}

async function untilReady(agent: AgentProcess, count: number): Promise<void> {
  await waitUntil(`${count} plugins are ready`, async () => {
    const list = await plugins(agent);
    return list.length === count && list.every(({ state }) => state === 'ready');
  });
}

test('a registry that is away at the first start is asked again until it answers, and the agent serves meanwhile', async (t) => {
  const registry = await startRegistry(t);
  registry.resources.set('web.shop', { id: 'id1', items: [item('load', makePlugin(t, 'load'))] });
  await registry.stop();
  const agent = await AgentProcess.start(t, { registryAddress: registry.address, agent: FILE_PROTOCOL });
  assert.deepEqual((await agent.call('/me/ns')).body.namespaces, []);
  const update = await agent.call('/update');
  assert.equal(update.status, 502);
  assert.match(update.body.error?.message ?? '', /refuses connections; is the registry running there\?/);
  await registry.start();
  await waitUntil('it knows its namespace', async () => {
    const { namespaces } = (await agent.call('/me/ns')).body;
    return namespaces.length === 1;
  });
  await waitUntil('the plugin runs', () => argumentsOf(agent, 'load').length > 0);
  assert.equal((await agent.call('/me/status')).body.registry.problem, undefined);
});

test('with the registry away at a restart the last known plugins run, and the disabled one does not', async (t) => {
  const registry = await startRegistry(t);
  const [on, off] = [makePlugin(t, 'on'), makePlugin(t, 'off')];
  registry.resources.set('web.shop', { id: 'id1', items: [item('on', on), item('off', off)] });
  const options = { registryAddress: registry.address, agent: FILE_PROTOCOL };
  const first = await AgentProcess.start(t, options);
  await untilReady(first, 2);
  const disable = await first.call(`/plugins/disable?ns=web.shop&repo=${encodeURIComponent(off)}`);
  assert.equal(disable.status, 200);
  const inHours = (Date.parse(disable.body.enabledAgainAt ?? '') - Date.now()) / 3_600_000;
  assert.ok(inHours > 23.9 && inHours <= 24, String(inHours));
  await first.kill('SIGKILL');
  await registry.stop();

  const second = await AgentProcess.start(t, { ...options, folder: first.folder });
  await waitUntil('the other one runs', () => argumentsOf(second, 'on').length > 0);
  const offNow = (await plugins(second)).find(({ name }) => name === 'off');
  assert.equal(offNow?.enabled, false);
  assert.equal(offNow?.enabledAgainAt, disable.body.enabledAgainAt);
  assert.equal(offNow?.runs, 0);
  assert.deepEqual((await second.call('/me/ns')).body.namespaces, ['web.shop']);
  await second.kill('SIGTERM');

  // A day later.
  const file = join(first.folder, 'state', 'disabled-plugins.json');
  const state: Record<string, number> = JSON.parse(readFileSync(file, 'utf8'));
  const ended = Object.fromEntries(Object.entries(state).map(([key, until]) => [key, until - 86_400_000]));
  writeFileSync(file, JSON.stringify(ended));
  const third = await AgentProcess.start(t, { ...options, folder: first.folder });
  await waitUntil('it runs again by itself', () => argumentsOf(third, 'off').length > 0);
});

test('/update says what was added, changed and removed; what is unchanged keeps its phase and its counts', async (t) => {
  const registry = await startRegistry(t);
  const [same, changed, removed, added] = ['same', 'changed', 'removed', 'added'].map((name) =>
    makePlugin(t, name),
  ) as [string, string, string, string];
  registry.resources.set('web.shop', {
    id: 'id1',
    items: [
      item('same', same, '2'),
      item('changed', changed, '2', { parameters: 'old' }),
      item('removed', removed, '2'),
    ],
  });
  const agent = await AgentProcess.start(t, { registryAddress: registry.address, agent: FILE_PROTOCOL });
  await untilReady(agent, 3);
  await waitUntil('all have run', async () => (await plugins(agent)).every(({ runs }) => runs > 0));
  assert.deepEqual((await agent.call('/update')).body, {
    ok: true,
    added: [],
    changed: [],
    removed: [],
    unchanged: 3,
    problems: [],
  });
  const phaseOf = async (name: string) => {
    const { nextRunAt = '', runs } = await listed(agent, name);
    return { phase: Date.parse(nextRunAt) % 2000, runs };
  };
  const before = await phaseOf('same');

  registry.resources.set('web.shop', {
    id: 'id1',
    items: [
      item('added', added, '1'),
      item('same', same, '2'),
      item('changed', changed, '2', { parameters: 'new' }),
      item('../../etc', 'https://git.example.com/a/b.git'),
      item('option', '--upload-pack=touch'),
      item('same', makePlugin(t, 'same')),
    ],
  });
  const { body } = await agent.call('/update');
  const named = (repo: string) => [{ namespace: 'web.shop', repo }];
  assert.deepEqual(body.added, named(added));
  assert.deepEqual(body.changed, named(changed));
  assert.deepEqual(body.removed, named(removed));
  assert.equal(body.unchanged, 1);
  assert.equal(body.problems.length, 3);
  assert.match(body.problems.join('\n'), /two projects of the name same/);

  const after = await phaseOf('same');
  assert.ok(after.runs >= before.runs);
  const apart = Math.abs(after.phase - before.phase);
  assert.ok(Math.min(apart, 2000 - apart) < 100, `phase ${before.phase} became ${after.phase}`);
  await waitUntil('the new parameters count', () => argumentsOf(agent, 'changed').at(-1) === 'new');
  await waitUntil('the new one runs', () => argumentsOf(agent, 'added').length > 0);
  const folder = join(agent.folder, 'plugins', 'web.shop');
  await waitUntil('the files of the removed one are gone', () => !existsSync(join(folder, 'removed')));
  const gone = await agent.call(`/plugins/run?ns=web.shop&repo=${encodeURIComponent(removed)}`);
  assert.equal(gone.status, 404);
});

test('a registry that answers nonsense changes nothing, and is named in /update and in the status', async (t) => {
  const registry = await startRegistry(t);
  const load = makePlugin(t, 'load');
  registry.resources.set('web.shop', { id: 'id1', items: [item('load', load)] });
  const agent = await AgentProcess.start(t, { registryAddress: registry.address, agent: FILE_PROTOCOL });
  await untilReady(agent, 1);
  const wrong = [
    { status: 500, type: 'application/json', body: '{"httpstatus":500,"data":null,"msg":"database away"}' },
    { status: 200, type: 'text/html', body: '<html>login</html>' },
    { status: 200, type: 'application/json', body: '{"httpstatus":200,"data":"[]","msg":""}' },
    { status: 200, type: 'application/json', body: '{"httpstatus":200,"da' },
    { status: 204, type: '', body: '' },
  ];
  for (const path of ['/api/v1/agent/ns', '/api/v1/agent/resource'] as const) {
    for (const answer of wrong) {
      registry.misbehave = (question) => (question.path === path ? { kind: 'answer', ...answer } : undefined);
      const update = await agent.call('/update');
      const about = `${path} ${answer.body}: ${JSON.stringify(update.body)}`;
      if (path === '/api/v1/agent/ns') assert.equal(update.status, 502, about);
      else assert.match(update.body.problems.join(), /last known ones/, about);
      assert.equal((await plugins(agent)).length, 1, about);
      assert.notEqual((await agent.call('/me/status')).body.registry.problem, undefined, about);
    }
  }
  registry.misbehave = () => undefined;
  registry.resources.set('web.shop', { id: 'id1', items: [] });
  assert.equal((await agent.call('/update')).body.removed.length, 1, 'an empty list is an answer');
  assert.equal(await agent.kill('SIGTERM'), 0);
});

test('a registry that hangs neither delays the start nor the stop', async (t) => {
  const registry = await startRegistry(t);
  registry.misbehave = () => ({ kind: 'hang' });
  const agent = await AgentProcess.start(t, {
    registryAddress: registry.address,
    agent: 'gitprotocols = ["file"]\nregistrytimeout = 300',
  });
  const update = agent.call('/update');
  update.catch(() => undefined);
  await waitUntil('it was asked', () => registry.questions.length > 0);
  assert.equal(await agent.kill('SIGTERM'), 0);
});

test('a registry document takes effect when it is replaced by renaming, edited in place, and corrected', async (t) => {
  const one = makePlugin(t, 'one');
  const two = makePlugin(t, 'two');
  const agent = await AgentProcess.start(t, { registry: { 'web.shop': [item('one', one)] } });
  await untilReady(agent, 1);
  const file = join(agent.folder, 'registry.json');
  const names = async () => (await plugins(agent)).map(({ name }) => name).join();

  writeFileSync(`${file}.new`, JSON.stringify({ 'web.shop': [item('one', one), item('two', two)] }));
  renameSync(`${file}.new`, file);
  await waitUntil('the renamed one counts', async () => (await names()) === 'one,two');

  writeFileSync(file, '{"web.shop": [');
  await waitUntil('the half document is named', () => /registry\.json is not JSON/.test(agent.stderr));
  assert.equal(await names(), 'one,two');
  const update = await agent.call('/update');
  assert.equal(update.status, 502);
  assert.match(update.body.error?.message ?? '', /registry\.json is not JSON/);

  writeFileSync(file, JSON.stringify({ 'web.shop': [item('two', two)] }));
  await waitUntil('the corrected one counts', async () => (await names()) === 'two');
});
