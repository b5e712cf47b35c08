import assert from 'node:assert/strict';
import { chmodSync, existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AgentProcess, type RegistryItem } from '../support/agent-process.js';
import { makeRepository } from '../support/git-repository.js';
import { nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const skip = nsqdSkipReason;

function pluginItem(
  name: string,
  git: string,
  interval = '1',
  more: Record<string, string> = {},
): RegistryItem {
  return { _id: 'x', measurement_type: 'PLUGIN', name: `PLUGIN.${name}`, git, interval, ...more };
}

function metrics(count: number, first = 0): string {
  return JSON.stringify(Array.from({ length: count }, (_, n) => ({ name: 'numbered', value: first + n })));
}

/** The values of all points in the messages of a topic. */
function valuesOf(messages: readonly Buffer[]): unknown[] {
  return messages.flatMap((message) =>
    JSON.parse(message.toString()).points.map((point: { fields: { value: unknown } }) => point.fields.value),
  );
}

test('a plugin of the registry comes from git, runs, and its points and run metric arrive at NSQ', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  const address = makeRepository(join(temporaryFolder(t), 'disk'), {
    plugin: '#!/bin/sh\nprintf \'[{"name":"free","tags":{"mount":" /data one "},"value":%s}]\' "$1"\n',
  });
  const item = pluginItem('disk', address, '1', { parameters: ' 17  ignored ' });
  const agent = await AgentProcess.start(t, {
    registry: { 'web.shop': [item] },
    output: `servers = ["${nsqd.tcpAddress}"]`,
  });
  const messages: Buffer[] = [];
  await waitUntil('two documents are there', async () => {
    messages.push(...(await nsqd.messages('collect.web.shop')));
    return messages.length >= 2;
  });
  const [own, run] = messages.map((message) => JSON.parse(message.toString()));
  const { timestamp } = own.points[0];
  assert.ok(Math.abs(timestamp - Date.now() / 1000) < 60);
  assert.deepEqual(own, {
    database: 'web.shop',
    retentionPolicy: 'default',
    precision: 's',
    points: [
      {
        measurement: 'PLUGIN.disk.free',
        timestamp,
        tags: { host: hostname(), mount: '/data-one' },
        fields: { value: 17 },
      },
    ],
  });
  assert.equal(run.points[0].measurement, 'plugin.disk');
  assert.deepEqual(run.points[0].tags, { host: hostname(), repo: address, type: 'regular', status: 'ok' });
  assert.equal(run.points[0].fields.value, 0);
  assert.equal(run.points[0].fields.points, 1);
  assert.equal(await agent.kill('SIGTERM'), 0);
});

test('a post is answered when NSQ has it, small or large', { skip }, async (t) => {
  const nsqd = await startNsqd(t);
  const agent = await AgentProcess.start(t, {
    registry: { 'web.shop': [] },
    agent: 'postprefix = "RUN."',
    output: `servers = ["${nsqd.tcpAddress}"]\ndatabaseprefix = "collect."`,
  });
  assert.deepEqual((await agent.call('/post?ns=web.shop', metrics(1))).body, { ok: true, points: 1 });
  const [message] = await nsqd.messages('collect.web.shop');
  const document = JSON.parse(message?.toString() ?? '{}');
  assert.equal(document.database, 'collect.web.shop');
  assert.equal(document.points[0].measurement, 'RUN.numbered');
  assert.deepEqual((await agent.call('/post?ns=big.shop', metrics(20_000))).body, {
    ok: true,
    points: 20_000,
  });
  const messages = await nsqd.messages('collect.big.shop');
  assert.ok(messages.length > 1, 'more than one message was needed');
  assert.ok(messages.every(({ length }) => length <= 1_048_576));
  assert.deepEqual(
    valuesOf(messages),
    Array.from({ length: 20_000 }, (_, n) => n),
  );
});

test('one bad metric refuses a whole post and nothing of it is sent, small or large', { skip }, async (t) => {
  const nsqd = await startNsqd(t);
  const agent = await AgentProcess.start(t, { output: `servers = ["${nsqd.tcpAddress}"]` });
  for (const count of [2, 5000]) {
    const list = JSON.parse(metrics(count));
    list[count - 1].name = 'no good';
    const answer = await agent.call('/post?ns=web.shop', JSON.stringify(list));
    assert.equal(answer.status, 400);
    assert.equal(answer.body.error?.code, 'bad-metric');
    assert.match(answer.body.error?.message ?? '', new RegExp(`${count - 1}.*no good`));
  }
  assert.equal((await agent.call('/post?ns=web.shop', metrics(1))).status, 200);
  assert.deepEqual(valuesOf(await nsqd.messages('collect.web.shop')), [0]);
});

test('what the launcher sets in the environment of the agent does not reach plugins', async (t) => {
  const address = makeRepository(join(temporaryFolder(t), 'environment'), {
    plugin:
      '#!/bin/sh\necho "[{\\"name\\":\\"found\\",\\"value\\":\\"$(env | grep -c -e MALLOC -e NODE)\\"}]"\n',
  });
  const agent = await AgentProcess.start(t, {
    registry: { 'web.shop': [pluginItem('environment', address)] },
  });
  const documents = await waitUntil('it ran', () => agent.documents().length > 0 && agent.documents());
  assert.equal(documents[0]?.points[0]?.fields.value, '0');
});

test('while nsqd is away, and without a spool, posts get 503 and Retry-After, and what was taken arrives later', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t, { durable: true });
  const address = makeRepository(join(temporaryFolder(t), 'count'), {
    plugin: '#!/bin/sh\necho \'[{"name":"up","value":1}]\'\n',
  });
  const agent = await AgentProcess.start(t, {
    registry: { 'web.shop': [pluginItem('count', address)] },
    output: `servers = ["${nsqd.tcpAddress}"]\nresponsetimeout = 1`,
    spool: 'mode = "off"',
  });
  await waitUntil('the plugin runs', async () => (await agent.call('/me/status')).body.runs.ok > 0);
  await nsqd.stop();
  const before = (await agent.call('/me/status')).body.runs.ok;
  const answer = await agent.call('/post?ns=web.shop', metrics(1, 4711));
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers['retry-after']) > 0);
  await waitUntil('it ran meanwhile', async () => (await agent.call('/me/status')).body.runs.ok > before + 1);
  const runs = (await agent.call('/me/status')).body.runs.ok;
  await nsqd.start();
  await waitUntil('all is delivered', async () => {
    const { lagPoints, deliveredPoints } = await agent.outputStatus();
    return lagPoints === 0 && deliveredPoints > 2 * before;
  });
  const documents = (await nsqd.messages('collect.web.shop')).map((message) =>
    JSON.parse(message.toString()),
  );
  const metricsOfRuns = documents.filter(({ points }) => points[0].measurement === 'plugin.count');
  assert.ok(metricsOfRuns.length >= runs, 'a run metric of every run');
  assert.ok(
    documents.some(({ points }) => points[0].fields.value === 4711),
    'the post that was not promised, too',
  );
});

test('an ordinary stop delivers what was taken before it ends', { skip }, async (t) => {
  const nsqd = await startNsqd(t);
  const place = temporaryFolder(t);
  chmodSync(place, 0o777);
  const printed = join(place, 'printed');
  const address = makeRepository(join(temporaryFolder(t), 'slow'), {
    plugin: `#!/bin/sh\necho '[{"name":"begun","value":1}]'\n: >${printed}\nexec sleep 600\n`,
  });
  const agent = await AgentProcess.start(t, {
    registry: { 'web.shop': [pluginItem('slow', address, '0')] },
    output: `servers = ["${nsqd.tcpAddress}"]`,
  });
  await waitUntil('it is fetched', async () => (await agent.call('/plugins/list')).body.plugins[0]?.commit);
  const repo = encodeURIComponent(address);
  const run = agent.call(`/plugins/run?ns=web.shop&repo=${repo}&timeout=300`);
  await waitUntil('it has printed', () => existsSync(printed));
  const [answer, exitCode] = await Promise.all([run, agent.kill('SIGTERM')]);
  assert.equal(exitCode, 0);
  assert.equal(answer.body.status, 'signal');
  const documents = (await nsqd.messages('collect.web.shop')).map((message) =>
    JSON.parse(message.toString()),
  );
  const measurements = documents.map(({ points }) => points[0].measurement);
  assert.deepEqual(measurements, ['PLUGIN.slow.begun', 'plugin.slow']);
  assert.equal(documents[1].points[0].tags.status, 'signal');
});

test('a stop with nsqd away and without a spool ends within its bound and says what could not be delivered', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  const agent = await AgentProcess.start(t, {
    output: `servers = ["${nsqd.tcpAddress}"]`,
    spool: 'mode = "off"',
  });
  await nsqd.stop();
  const post = agent.call('/post?ns=web.shop', metrics(3));
  post.catch(() => undefined);
  await waitUntil('it is in the ring', async () => (await agent.outputStatus()).memoryPoints === 3);
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.match(agent.stderr, /lost 3 points in 1 document that could not be delivered within/);
  assert.equal((await post).status, 503);
});
