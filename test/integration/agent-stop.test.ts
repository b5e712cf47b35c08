import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AgentProcess, type RegistryItem } from '../support/agent-process.js';
import { makeRepository } from '../support/git-repository.js';
import { type Nsqd, nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const skip = nsqdSkipReason;

const WITHOUT_DISK = { spool: 'mode = "off"' };

function metrics(count: number): string {
  return JSON.stringify(Array.from({ length: count }, (_, n) => ({ name: 'numbered', value: n })));
}

function pluginItem(t: TestContext, name: string, script: string, interval = '1'): RegistryItem {
  const git = makeRepository(join(temporaryFolder(t), name), { plugin: `#!/bin/sh\n${script}\n` });
  return { measurement_type: 'PLUGIN', name: `PLUGIN.${name}`, git, interval };
}

/** nsqd that was there when the agent came up, and then takes connections but answers nothing. */
async function startOnFrozenNsqd(t: TestContext): Promise<{ agent: AgentProcess; nsqd: Nsqd }> {
  const nsqd = await startNsqd(t);
  const agent = await AgentProcess.start(t, { output: `servers = ["${nsqd.tcpAddress}"]`, ...WITHOUT_DISK });
  assert.equal((await agent.call('/post?ns=web.shop', metrics(1))).status, 200);
  await nsqd.pause();
  return { agent, nsqd };
}

test('an agent that stops while nsqd is frozen answers its posts, small and large, and says what is lost', {
  skip,
}, async (t) => {
  const { agent } = await startOnFrozenNsqd(t);
  // The last one is more than its lane holds, so that it waits for room.
  const posts = [1, 3000, 60_000].map((count) => agent.call('/post?ns=web.shop', metrics(count)));
  await waitUntil('points wait', async () => (await agent.outputStatus()).memoryPoints > 3001);
  const ended = agent.kill('SIGTERM');
  for (const { status, headers } of await Promise.all(posts)) {
    assert.equal(status, 503);
    assert.ok(Number(headers['retry-after']) > 0);
  }
  assert.equal(await ended, 0);
  assert.match(agent.stderr, /lost \d{4,} points in \d+ documents that could not be delivered within 10 s/);
});

test('an agent that stops while nsqd is frozen delivers all when nsqd goes on in time', {
  skip,
}, async (t) => {
  const { agent, nsqd } = await startOnFrozenNsqd(t);
  const posts = [1, 3000].map((count) => agent.call('/post?ns=web.shop', metrics(count)));
  await waitUntil('points wait', async () => (await agent.outputStatus()).memoryPoints === 3001);
  const ended = agent.kill('SIGTERM');
  await waitUntil('it stops', () => agent.stderr.includes('stopping'));
  nsqd.resume();
  for (const { status } of await Promise.all(posts)) assert.equal(status, 200);
  assert.equal(await ended, 0);
  assert.doesNotMatch(agent.stderr, /could not|ERROR/);
});

test('an agent that stops while runs wait for room in the ring says so, and ends', { skip }, async (t) => {
  const nsqd = await startNsqd(t);
  await nsqd.stop();
  // More than a lane holds.
  const script =
    'awk \'BEGIN { printf "["; for (n = 0; n < 60000; n++) printf "%s{\\"name\\":\\"n\\",\\"value\\":%d}", n ? "," : "", n; print "]" }\'';
  const agent = await AgentProcess.start(t, {
    registry: { 'web.shop': [pluginItem(t, 'large', script, '0')] },
    output: `servers = ["${nsqd.tcpAddress}"]`,
    runner: 'threads = 1\ngrace = 1',
    ...WITHOUT_DISK,
  });
  await waitUntil('it is fetched', async () => (await agent.call('/plugins/list')).body.plugins[0]?.commit);
  const repo = encodeURIComponent((await agent.call('/plugins/list')).body.plugins[0]?.repo ?? '');
  const run = agent.call(`/plugins/run?ns=web.shop&repo=${repo}&timeout=20`);
  run.catch(() => undefined);
  await waitUntil('the lane is full', async () => (await agent.outputStatus()).memoryPoints > 30_000);
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.match(agent.stderr, /1 run could not put its points into the ring: it is full/);
  assert.match(agent.stderr, /\d{5} points in \d+ documents that could not be delivered/);
});

test('an agent that stops while runs stand in line drops these and says nothing of a full ring', async (t) => {
  const slow = ['one', 'two', 'three'].map((name) => pluginItem(t, name, 'exec sleep 600'));
  const agent = await AgentProcess.start(t, {
    registry: { 'web.shop': slow },
    runner: 'maxprocesses = 1',
  });
  await waitUntil('one had no place', async () => (await agent.call('/me/status')).body.runs.skipped > 0);
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.doesNotMatch(agent.stderr, /could not|ERROR/);
});
