import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { AgentProcess, RegistryItem } from '../support/agent-process.js';
import { call } from '../support/command-line.js';
import { commitTo, headOf } from '../support/git-repository.js';
import {
  callPlugin,
  listed,
  NAMESPACE,
  PluginRepositories,
  pluginItem,
  plugins,
  pointsOf,
  startWithPlugins,
} from '../support/plugin-item.js';
import { waitUntil } from '../support/wait-until.js';

const COUNTING = 'echo x >>"$AGENT_STATE/runs"; wc -l <"$AGENT_STATE/runs"';

test('what a plugin keeps in AGENT_STATE is there again in later runs, also after an update, and goes with it', async (t) => {
  const repositories = new PluginRepositories(t);
  const repo = repositories.make('counting', COUNTING);
  const agent = await startFetched(t, [pluginItem('counting', repo, '0')]);
  const count = async () => Number((await callPlugin(agent, 'run', repo)).body.stdout);
  assert.deepEqual([await count(), await count()], [1, 2]);
  commitTo(repositories.folderOf('counting'), { plugin: `#!/bin/sh\n${COUNTING}\n# newer\n` });
  assert.equal((await callPlugin(agent, 'update', repo)).status, 200);
  assert.equal(await count(), 3);
  const state = join(agent.folder, 'plugins', NAMESPACE, '.counting', 'state');
  assert.equal(statSync(state).mode & 0o777, 0o700);
  agent.changeRegistry({ [NAMESPACE]: [] });
  const folder = join(agent.folder, 'plugins');
  await waitUntil('it is gone with its plugin', () => readdirSync(folder).length === 0);
});

test('a mistake in the item of a plugin costs it neither that nor its files, only its runs until it is put right', async (t) => {
  const repo = new PluginRepositories(t).make('counting', COUNTING);
  const agent = await startFetched(t, [pluginItem('counting', repo, '0')]);
  assert.equal((await callPlugin(agent, 'run', repo)).body.stdout, '1\n');
  const files = () => realpathSync(join(agent.folder, 'plugins', NAMESPACE, 'counting'));
  const before = files();
  agent.changeRegistry({ [NAMESPACE]: [pluginItem('counting', repo, '0', { memory: 'lots' })] });
  assert.match((await agent.call('/update')).body.problems?.[0] ?? '', /"memory" is "lots"/);
  const called = await callPlugin(agent, 'run', repo);
  assert.deepEqual([called.status, called.body.error?.code], [404, 'unknown-plugin']);
  agent.changeRegistry({ [NAMESPACE]: [pluginItem('counting', repo, '0')] });
  await waitUntil('it runs again', async () => (await callPlugin(agent, 'run', repo)).body.stdout === '2\n');
  assert.equal(files(), before);
});

test('"stop -m clean" removes it', async (t) => {
  const repo = new PluginRepositories(t).make('counting', COUNTING);
  const agent = await startFetched(t, [pluginItem('counting', repo, '0')]);
  await callPlugin(agent, 'run', repo);
  const { code, stderr } = await call(t, ['stop', '-f', join(agent.folder, 'agent.toml'), '-m', 'clean']);
  assert.equal(code, 0, stderr);
  assert.equal(existsSync(join(agent.folder, 'plugins', NAMESPACE)), false);
});

test('a pinned commit is run, another one is not, and the run metric and the answer say so', async (t) => {
  const repositories = new PluginRepositories(t);
  const repo = repositories.make('pinned', 'echo "[]"');
  const commit = headOf(repositories.folderOf('pinned'));
  const item = (pin: string) => pluginItem('pinned', repo, '0', { commit: pin });
  const agent = await startFetched(t, [item(commit)]);
  assert.equal((await callPlugin(agent, 'run', repo)).body.status, 'ok');

  const other = 'e'.repeat(40);
  agent.changeRegistry({ [NAMESPACE]: [item(other)] });
  const refused = await waitUntil('the new pin holds', () => ranAs(agent, repo, 'spawn'));
  assert.ok(
    [commit, other].every((hash) => refused.problem?.includes(hash)),
    refused.problem,
  );
  const metric = await waitUntil('its run metric is out', () =>
    pointsOf(agent, 'plugin.pinned').find(({ tags }) => tags.status === 'spawn'),
  );
  assert.equal(metric.fields.value, 126);
  assert.equal((await listed(agent, 'pinned')).lastRun?.problem, refused.problem);

  const file = join(realpathSync(join(agent.folder, 'plugins', NAMESPACE, 'pinned')), 'plugin');
  appendFileSync(file, '# changed\n');
  agent.changeRegistry({ [NAMESPACE]: [item(commit)] });
  await waitUntil('the file is not that of the commit', async () =>
    (await ranAs(agent, repo, 'spawn'))?.problem?.includes('SHA-256'),
  );
  assert.equal((await callPlugin(agent, 'update', repo)).status, 200);
  await waitUntil('fetched anew it runs', () => ranAs(agent, repo, 'ok'));
});

test('a plugin that others can write is not run until that is put right', async (t) => {
  const repo = new PluginRepositories(t).make('open', 'echo "[]"');
  const agent = await startFetched(t, [pluginItem('open', repo, '0')]);
  assert.equal((await callPlugin(agent, 'run', repo)).body.status, 'ok');
  const file = join(realpathSync(join(agent.folder, 'plugins', NAMESPACE, 'open')), 'plugin');
  chmodSync(file, 0o777);
  const refused = (await callPlugin(agent, 'run', repo)).body;
  assert.deepEqual([refused.status, refused.ok], ['spawn', true]);
  assert.match(refused.problem ?? '', /plugin open is not run: every user could change .*; run chmod go-w/);
  chmodSync(file, 0o755);
  assert.equal((await callPlugin(agent, 'run', repo)).body.status, 'ok');
});

/** An agent that has fetched its one plugin. */
async function startFetched(t: TestContext, items: readonly RegistryItem[]): Promise<AgentProcess> {
  const agent = await startWithPlugins(t, items);
  await waitUntil('the plugin is fetched', async () =>
    (await plugins(agent)).every(({ state }) => state === 'ready'),
  );
  return agent;
}

/** The answer to a run, when it has that status. */
async function ranAs(agent: AgentProcess, repo: string, status: string) {
  const { body } = await callPlugin(agent, 'run', repo);
  return body.status === status ? body : undefined;
}
