import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import {
  listed,
  NAMESPACE,
  PluginRepositories,
  PRINT_UP,
  pluginItem,
  plugins,
  pointsOf,
  whenListed,
} from '../support/plugin-item.js';
import { waitUntil } from '../support/wait-until.js';

test('plugins of one namespace that never end hold up no other namespace, and lateness is told', async (t) => {
  const repositories = new PluginRepositories(t);
  const slow = ['one', 'two', 'three', 'four'].map((name) =>
    pluginItem(name, repositories.make(name, 'exec sleep 600'), '60'),
  );
  const everySecond = '* * * * * *';
  const agent = await AgentProcess.start(t, {
    registry: { 'slow.shop': slow.map((item) => ({ ...item, interval: everySecond })) },
    runner: 'maxprocesses = 2',
  });
  const running = async () => (await plugins(agent)).filter((plugin) => plugin.running).length;
  await waitUntil('they have all places', async () => (await running()) === 2);

  const good = pluginItem('good', repositories.make('good', PRINT_UP), '1');
  agent.changeRegistry({
    'slow.shop': slow.slice(0, 1).map((item) => ({ ...item, interval: everySecond })),
    [NAMESPACE]: [good],
  });
  await waitUntil('the good one is there', async () => (await whenListed(agent, 'good'))?.state === 'ready');
  agent.changeRegistry({
    'slow.shop': slow.map((item) => ({ ...item, interval: everySecond })),
    [NAMESPACE]: [good],
  });
  await waitUntil('it ran three times', () => pointsOf(agent, 'PLUGIN.good.up').length >= 3);
  await waitUntil(
    'slow ones are in line',
    async () => (await agent.call('/me/status')).body.runs.waiting > 0,
  );
  const before = pointsOf(agent, 'PLUGIN.good.up').length;
  await waitUntil('it runs on', () => pointsOf(agent, 'PLUGIN.good.up').length >= before + 3);
  const busy = (await plugins(agent)).filter(({ ns, running }) => ns === 'slow.shop' && running);
  // None where one of the good ones, which is late, holds the place of those that hang.
  assert.ok(busy.length <= 1, `the other place is for the other namespace: ${busy.length}`);

  const { lastRun } = await listed(agent, 'good');
  assert.ok((lastRun?.latenessMs ?? -1) >= 0);
  const metric = pointsOf(agent, 'plugin.good').at(-1);
  assert.equal(typeof metric?.fields.lateness, 'number');
  const { lateness } = (await agent.call('/me/status')).body.runs;
  assert.ok(lateness.p50Ms <= lateness.p99Ms && lateness.p99Ms <= lateness.maxMs);
});
