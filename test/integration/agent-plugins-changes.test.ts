import assert from 'node:assert/strict';
import { chmodSync, existsSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import { makeRepository } from '../support/git-repository.js';
import {
  callPlugin,
  listed,
  NAMESPACE,
  PluginRepositories,
  PRINT_UP,
  pluginItem,
  plugins,
  pointsOf,
  startWithPlugins,
  whenListed,
} from '../support/plugin-item.js';
import { isAlive } from '../support/processes.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const HANGING = 'echo $$ >&2; exec sleep 600';

test('what the registry changes while plugins run is followed, and nothing else is touched', async (t) => {
  const repositories = new PluginRepositories(t);
  const addresses = Object.fromEntries(
    ['same', 'faster', 'told', 'moved', 'going'].map((name) => [
      name,
      repositories.make(name, name === 'going' ? HANGING : 'echo "[]"; echo "$@" >&2'),
    ]),
  );
  const elsewhere = makeRepository(repositories.folderOf('other/moved'), {
    plugin: '#!/bin/sh\necho elsewhere >&2; echo "[]"\n',
  });
  const item = (name: string, interval: string, more = {}) =>
    pluginItem(name, addresses[name] ?? '', interval, more);
  const agent = await startWithPlugins(t, [
    item('same', '3600'),
    item('faster', '3600'),
    item('told', '0', { parameters: 'one' }),
    item('moved', '0'),
    item('going', '0'),
  ]);
  await waitUntil('all are fetched', async () =>
    (await plugins(agent)).every(({ state }) => state === 'ready'),
  );
  const before = await nextRunOf(agent, 'same');
  const place = join(agent.folder, 'plugins', NAMESPACE, 'same');
  const folder = realpathSync(place);
  const hanging = callPlugin(agent, 'run', addresses.going ?? '', '&timeout=300');
  await waitUntil('it runs', async () => (await listed(agent, 'going')).running);

  agent.changeRegistry({
    [NAMESPACE]: [
      item('same', '3600'),
      item('faster', '1'),
      item('told', '0', { parameters: 'two three' }),
      pluginItem('moved', elsewhere, '0'),
    ],
  });
  const { status, signal, stderr } = (await hanging).body;
  assert.deepEqual([status, signal], ['signal', 'SIGTERM'], 'a plugin that is removed is ended');
  assert.equal(isAlive(Number(stderr)), false);
  await waitUntil('its run metric is there', () => pointsOf(agent, 'plugin.going').length === 1);
  await waitUntil('its files are gone', () => {
    const names = readdirSync(join(agent.folder, 'plugins', NAMESPACE));
    return !names.some((name) => name.includes('going'));
  });
  await waitUntil('the faster one runs', () => pointsOf(agent, 'plugin.faster').length > 1);
  assert.equal((await callPlugin(agent, 'run', addresses.told ?? '')).body.stderr, 'two three\n');
  const moved = await waitUntil('it is fetched from elsewhere', async () => {
    const { status, body } = await callPlugin(agent, 'run', elsewhere);
    return status === 200 && body;
  });
  assert.equal(moved.stderr, 'elsewhere\n');
  assert.equal((await callPlugin(agent, 'run', addresses.moved ?? '')).status, 404);
  assert.equal((await callPlugin(agent, 'run', addresses.going ?? '')).status, 404);
  assert.ok(isSamePhase(await nextRunOf(agent, 'same'), before), 'its phase is what it was');
  assert.equal(realpathSync(place), folder, 'it was not cloned again');
});

test('a plugin that goes and comes back at once never runs twice at a time', async (t) => {
  const repositories = new PluginRepositories(t);
  const place = temporaryFolder(t);
  chmodSync(place, 0o777);
  const [begun, over] = [join(place, 'begun'), join(place, 'over')];
  const stubborn = repositories.make(
    'stubborn',
    `trap '' TERM; : >${begun}; ${PRINT_UP}; until [ -e ${over} ]; do sleep 0.1; done`,
  );
  const items = [pluginItem('stubborn', stubborn, '0')];
  const agent = await startWithPlugins(t, items, { runner: 'grace = 20' });
  const first = callPlugin(agent, 'run', stubborn, '&timeout=300');
  await waitUntil('it runs, and minds no SIGTERM', () => existsSync(begun));
  agent.changeRegistry({ [NAMESPACE]: [] });
  await waitUntil('it is gone', async () => (await plugins(agent)).length === 0);
  agent.changeRegistry({ [NAMESPACE]: items });
  await waitUntil('it is back', async () => (await whenListed(agent, 'stubborn'))?.state === 'ready');
  const second = await callPlugin(agent, 'run', stubborn, '&timeout=1');
  assert.equal(second.status, 409);
  // Long before its SIGKILL, however long the registry was not looked at.
  writeFileSync(over, '');
  assert.equal((await first).status, 200);
  assert.equal((await callPlugin(agent, 'run', stubborn)).body.status, 'ok');
});

test('a project belongs to each of its namespaces; a second one of its name in a namespace is refused', async (t) => {
  const repositories = new PluginRepositories(t);
  const one = repositories.make('one/disk', PRINT_UP);
  const two = repositories.make('two/disk', PRINT_UP);
  const agent = await AgentProcess.start(t, {
    registry: {
      [NAMESPACE]: [pluginItem('disk', one, '1'), pluginItem('other', two, '1')],
      'db.shop': [pluginItem('disk', two, '1')],
    },
  });
  await waitUntil('both run', () => databases(agent).size === 2);
  const list = (await plugins(agent)).map(({ ns, repo }) => [ns, repo]);
  assert.deepEqual(list.sort(), [
    ['db.shop', two],
    [NAMESPACE, one],
  ]);
  const { problems } = (await agent.call('/update')).body;
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^web\.shop PLUGIN\.other: two projects of the name disk in one namespace/);
  assert.equal(pointsOf(agent, 'plugin.other').length, 0);
});

test('a restart clones nothing again, keeps phases and disabled plugins, and runs even while git is away', async (t) => {
  const repositories = new PluginRepositories(t);
  const repo = repositories.make('steady', PRINT_UP);
  const rare = repositories.make('rare', PRINT_UP);
  const items = [pluginItem('steady', repo, '1'), pluginItem('rare', rare, '3600')];
  const first = await startWithPlugins(t, items);
  await waitUntil('it runs', () => pointsOf(first, 'plugin.steady').length > 0);
  await waitUntil('the other is there', async () => (await listed(first, 'rare')).state === 'ready');
  assert.equal((await callPlugin(first, 'disable', rare)).status, 200);
  const nextRunAt = await nextRunOf(first, 'rare');
  const place = join(first.folder, 'plugins', NAMESPACE, 'steady');
  const folder = realpathSync(place);
  assert.equal(await first.kill('SIGTERM'), 0);
  assert.ok(existsSync(folder));

  for (const name of ['steady', 'rare']) rmSync(repositories.folderOf(name), { recursive: true });
  const second = await startWithPlugins(t, items, { folder: first.folder });
  await waitUntil('it runs again', () => pointsOf(second, 'plugin.steady').length > 0);
  assert.equal(realpathSync(place), folder);
  assert.doesNotMatch(second.stderr, /was fetched/);
  assert.equal((await listed(second, 'rare')).enabled, false);
  assert.ok(isSamePhase(await nextRunOf(second, 'rare'), nextRunAt));
});

function databases(agent: AgentProcess): ReadonlySet<string> {
  return new Set(agent.documents().map(({ database }) => database));
}

/** When a plugin is due next: it is on schedule a moment after its files are there. */
function nextRunOf(agent: AgentProcess, project: string): Promise<string> {
  return waitUntil(`${project} is on schedule`, async () => (await listed(agent, project)).nextRunAt);
}

/** Two slots of a plugin that runs every hour, which may be one and the same; the clocks they are reckoned from drift a little. */
function isSamePhase(one: string, other: string): boolean {
  const hours = (Date.parse(one) - Date.parse(other)) / 3_600_000;
  return Math.abs(hours - Math.round(hours)) * 3600 < 5;
}
