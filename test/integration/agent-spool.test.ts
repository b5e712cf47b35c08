import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type AgentOptions, AgentProcess } from '../support/agent-process.js';
import { call } from '../support/command-line.js';
import { makeRepository } from '../support/git-repository.js';
import { type Nsqd, nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const skip = nsqdSkipReason;

function metrics(count: number, first = 0): string {
  return JSON.stringify(Array.from({ length: count }, (_, n) => ({ name: 'numbered', value: first + n })));
}

async function post(agent: AgentProcess, count: number, first = 0): Promise<number> {
  return (await agent.call('/post?ns=web.shop', metrics(count, first))).status;
}

/** The numbers that are at nsqd, each as often as it came. */
async function numbers(nsqd: Nsqd): Promise<number[]> {
  const documents = (await nsqd.messages('collect.web.shop')).map((message) =>
    JSON.parse(message.toString()),
  );
  return documents
    .flatMap(({ points }) => points)
    .filter(({ measurement }) => measurement === 'numbered')
    .map(({ fields }) => Number(fields.value));
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

async function start(t: TestContext, nsqd: Nsqd, options: AgentOptions = {}): Promise<AgentProcess> {
  return AgentProcess.start(t, { output: `servers = ["${nsqd.tcpAddress}"]`, ...options });
}

test('while nsqd is away posts are answered from disk, runs go on, and all arrives when it is back', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  const git = makeRepository(join(temporaryFolder(t), 'up'), {
    plugin: '#!/bin/sh\necho \'[{"name":"up","value":1}]\'\n',
  });
  const agent = await start(t, nsqd, {
    registry: { 'web.shop': [{ measurement_type: 'PLUGIN', name: 'PLUGIN.up', git, interval: '1' }] },
  });
  assert.equal(await post(agent, 10), 200);
  // Answered from disk where nsqd let it wait: what is on its way while nsqd stops may come twice.
  await waitUntil('nsqd has it', async () => (await agent.outputStatus()).lagPoints === 0);
  await nsqd.stop();
  assert.equal(await post(agent, 10, 10), 200);
  assert.equal(await post(agent, 5000, 20), 200);
  const { lagPoints, diskPoints, spooledPoints } = await agent.outputStatus();
  assert.ok(diskPoints >= 5010 && lagPoints >= 5010 && spooledPoints >= 5010);
  const before = (await agent.call('/me/status')).body.runs.ok;
  await waitUntil(
    'the plugin runs on',
    async () => (await agent.call('/me/status')).body.runs.ok > before + 1,
  );
  await nsqd.start();
  // The plugin goes on: it is one look that has nothing left.
  const { diskRecords, droppedPoints, setAsidePoints } = await waitUntil('all is delivered', async () => {
    const status = await agent.outputStatus();
    return status.lagPoints === 0 && status;
  });
  assert.deepEqual([diskRecords, setAsidePoints], [0, 0]);
  assert.deepEqual(droppedPoints, { full: 0, damaged: 0, 'no-room': 0 });
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.deepEqual(
    (await numbers(nsqd)).sort((one, other) => one - other),
    upTo(5020),
  );
  assert.doesNotMatch(agent.stderr, /ERROR|lost/);
});

test('what a stop leaves on disk is delivered by the next start, once', { skip }, async (t) => {
  const nsqd = await startNsqd(t);
  const first = await start(t, nsqd);
  await nsqd.stop();
  const posts = [post(first, 3), post(first, 3000, 3)];
  await waitUntil('points wait', async () => (await first.outputStatus()).lagPoints === 3003);
  assert.equal(await first.kill('SIGTERM'), 0);
  assert.deepEqual(await Promise.all(posts), [200, 200]);
  assert.match(first.stderr, /3003 points .*wait on disk for the next start/);
  assert.doesNotMatch(first.stderr, /lost/);
  await nsqd.start();
  const second = await start(t, nsqd, { folder: first.folder });
  await waitUntil('all is delivered', async () => (await second.outputStatus()).deliveredPoints === 3003);
  assert.equal(await second.kill('SIGTERM'), 0);
  const third = await start(t, nsqd, { folder: first.folder });
  assert.equal(await post(third, 1, 3003), 200);
  assert.equal(await third.kill('SIGTERM'), 0);
  assert.deepEqual(
    (await numbers(nsqd)).sort((one, other) => one - other),
    upTo(3004),
  );
});

for (const fsync of ['interval', 'always', 'never']) {
  test(`mode always, fsync ${fsync}: kill -9 loses nothing of what was answered with 200, nsqd there or not`, {
    skip,
  }, async (t) => {
    const nsqd = await startNsqd(t);
    const spool = `mode = "always"\nfsync = "${fsync}"`;
    let agent = await start(t, nsqd, { spool });
    let next = 0;
    for (const isAway of [true, false, true]) {
      if (isAway) await nsqd.stop();
      for (const count of [1, 1000, 3000]) {
        assert.equal(await post(agent, count, next), 200);
        next += count;
      }
      await agent.kill('SIGKILL');
      if (isAway) await nsqd.start();
      agent = await start(t, nsqd, { spool, folder: agent.folder });
      await waitUntil('all is delivered', async () => (await agent.outputStatus()).lagPoints === 0);
    }
    assert.equal(await agent.kill('SIGTERM'), 0);
    assert.deepEqual(
      [...new Set(await numbers(nsqd))].sort((one, other) => one - other),
      upTo(next),
    );
  });
}

test('stop -m clean removes what waits on disk', { skip }, async (t) => {
  const nsqd = await startNsqd(t);
  const agent = await start(t, nsqd);
  await nsqd.stop();
  assert.equal(await post(agent, 3), 200);
  const spool = join(agent.folder, 'state', 'spool', 'nsq');
  assert.ok(readdirSync(spool).length > 0);
  const { code, stderr } = await call(t, ['stop', '-f', join(agent.folder, 'agent.toml'), '-m', 'clean']);
  assert.equal(code, 0, stderr);
  assert.equal(existsSync(spool), false);
});

test('a second output that is away holds up nothing, and has all when it is back', { skip }, async (t) => {
  const nsqd = await startNsqd(t);
  const other = await startNsqd(t);
  await other.stop();
  const agent = await start(t, nsqd, {
    outputs: `[[outputs]]\nname = "nsq"\nalias = "other"\nservers = ["${other.tcpAddress}"]\nbuffersize = 100\n`,
  });
  for (let n = 0; n < 40; n += 1) assert.equal(await post(agent, 500, n * 500), 200);
  await waitUntil(
    'the first has all',
    async () => (await agent.outputStatus('nsq')).deliveredPoints === 20_000,
  );
  assert.equal((await agent.outputStatus('other')).lagPoints, 20_000);
  await other.start();
  await waitUntil('the other has all', async () => (await agent.outputStatus('other')).lagPoints === 0);
  assert.equal(await agent.kill('SIGTERM'), 0);
  for (const broker of [nsqd, other]) {
    assert.deepEqual(
      (await numbers(broker)).sort((one, another) => one - another),
      upTo(20_000),
    );
  }
});
