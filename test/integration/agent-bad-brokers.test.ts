import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import { makeRepository } from '../support/git-repository.js';
import { startAuthServer } from '../support/nsq-auth-server.js';
import { nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { answerOk, startScriptedNsqd } from '../support/scripted-nsqd.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const skip = nsqdSkipReason;

function metrics(count: number): string {
  return JSON.stringify(Array.from({ length: count }, (_, n) => ({ name: 'numbered', value: n })));
}

async function logged(agent: AgentProcess, pattern: RegExp): Promise<void> {
  await waitUntil(`the log says ${pattern}`, () => pattern.test(agent.stderr));
}

test('a topic that nsqd refuses costs only its own namespace', { skip }, async (t) => {
  const auth = await startAuthServer(t, 'open-sesame', '^collect\\.good\\.shop$');
  const nsqd = await startNsqd(t, { arguments: [`--auth-http-address=${auth}`] });
  const secretFile = join(temporaryFolder(t), 'secret');
  writeFileSync(secretFile, 'open-sesame\n', { mode: 0o600 });
  const plugin = makeRepository(join(temporaryFolder(t), 'up'), {
    plugin: '#!/bin/sh\necho \'[{"name":"up","value":1}]\'\n',
  });
  const agent = await AgentProcess.start(t, {
    registry: {
      'bad.shop': [{ measurement_type: 'PLUGIN', name: 'PLUGIN.up', git: plugin, interval: '1' }],
    },
    output: `servers = ["${nsqd.tcpAddress}"]\nauthsecretfile = "${secretFile}"`,
  });
  await logged(
    agent,
    /points? of bad\.shop (?:was|were) refused and set aside in .*: nsqd 127\.0\.0\.1:\d+ refused.*E_UNAUTHORIZED/,
  );
  const posts = await Promise.all(
    Array.from({ length: 60 }, async (_, n) => {
      const namespace = n % 3 === 0 ? 'bad.shop' : 'good.shop';
      const { status, body } = await agent.call(`/post?ns=${namespace}`, metrics(n % 2 === 0 ? 3 : 1000));
      return { namespace, status, message: body.error?.message };
    }),
  );
  const refusal = /collect\.bad\.shop: E_UNAUTHORIZED.*Let the auth server/;
  for (const { namespace, status, message } of posts) {
    // One that nsqd lets wait is answered as soon as it is on disk, whatever becomes of it then.
    assert.ok(status === 200 || (status === 422 && namespace === 'bad.shop'), message);
    if (status === 422) assert.match(message ?? '', refusal);
  }
  const { body } = await waitUntil('a post is refused at once', async () => {
    const answer = await agent.call('/post?ns=bad.shop', metrics(1));
    return answer.status === 422 && answer;
  });
  assert.match(body.error?.message ?? '', refusal);
  await waitUntil(
    'all of bad.shop is set aside',
    async () => (await agent.outputStatus()).setAsidePoints >= 10 * 3 + 10 * 1000,
  );
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.doesNotMatch(agent.stderr, /open-sesame|could not be delivered/);
});

test('a server that closes in the middle of every batch is left for one that works', async (t) => {
  const closing = await startScriptedNsqd(t, {
    onCommand: (command, socket) => void (command.name !== 'NOP' && socket.destroy()),
  });
  const good = await startScriptedNsqd(t, { onCommand: answerOk });
  const agent = await AgentProcess.start(t, {
    output: `servers = ["${closing.address}", "${good.address}"]`,
  });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => agent.call('/post?ns=web.shop', metrics(500))),
  );
  assert.deepEqual(
    answers.map(({ status }) => status),
    answers.map(() => 200),
  );
  if (closing.seen.length > 0)
    await logged(agent, new RegExp(`nsqd ${closing.address} (?:closed|broke) the connection`));
  assert.equal(await agent.kill('SIGTERM'), 0);
});

test('a server that takes everything and never answers is named, and left for one that works', async (t) => {
  const silent = await startScriptedNsqd(t, {});
  const agent = await AgentProcess.start(t, {
    output: `servers = ["${silent.address}"]\nresponsetimeout = 1`,
    spool: 'mode = "off"',
  });
  const [small, large] = await Promise.all([
    agent.call('/post?ns=web.shop', metrics(1)),
    agent.call('/post?ns=web.shop', metrics(5000)),
  ]);
  for (const { status, headers, body } of [small, large]) {
    assert.equal(status, 503);
    assert.ok(Number(headers['retry-after']) > 0);
    assert.match(body.error?.message ?? '', /the points are neither delivered nor on disk after 6 s/);
  }
  assert.match(agent.stderr, new RegExp(`nsqd ${silent.address} did not answer within 1000 ms`));
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.match(agent.stderr, /lost 5001 points in \d+ documents that could not be delivered within 10 s/);
});

test('posts outlast a server that does not answer where there is another one', async (t) => {
  const silent = await startScriptedNsqd(t, {});
  const good = await startScriptedNsqd(t, { onCommand: answerOk });
  const agent = await AgentProcess.start(t, {
    output: `servers = ["${silent.address}", "${good.address}"]\nresponsetimeout = 2`,
  });
  const answers = await Promise.all(
    [1, 1, 3000].map((count) => agent.call('/post?ns=web.shop', metrics(count))),
  );
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  );
  assert.equal(await agent.kill('SIGTERM'), 0);
});

test('the HTTP port of an nsqd among the servers is named with what to change, and does no harm', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  for (const servers of [[nsqd.httpAddress], [nsqd.httpAddress, nsqd.tcpAddress]]) {
    const agent = await AgentProcess.start(t, {
      output: `servers = ["${servers.join('", "')}"]`,
      spool: 'mode = "off"',
    });
    const posts = Array.from({ length: 3 }, () => agent.call('/post?ns=web.shop', metrics(1)));
    const statuses = new Set((await Promise.all(posts)).map(({ status }) => status));
    assert.deepEqual([...statuses], [servers.length === 1 ? 503 : 200]);
    if (servers.length === 1) {
      assert.match(agent.stderr, new RegExp(`nsqd ${nsqd.httpAddress} answers in HTTP.*TCP port.*4150`));
    }
    assert.equal(await agent.kill('SIGTERM'), 0);
  }
});

test('an agent that starts without any server that can be reached delivers when one comes up', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  await nsqd.stop();
  const gone = await startNsqd(t);
  await gone.stop();
  const agent = await AgentProcess.start(t, {
    output: `servers = ["${gone.tcpAddress}", "${nsqd.tcpAddress}"]`,
  });
  for (const address of [gone.tcpAddress, nsqd.tcpAddress]) {
    await logged(agent, new RegExp(`nsqd ${address} cannot be reached: connect ECONNREFUSED`));
  }
  const post = agent.call('/post?ns=web.shop', metrics(2));
  await waitUntil('it is in the ring', async () => (await agent.outputStatus()).memoryPoints === 2);
  await nsqd.start();
  assert.equal((await post).status, 200);
  await logged(agent, new RegExp(`publishing to nsqd ${nsqd.tcpAddress}`));
  assert.equal(await agent.kill('SIGTERM'), 0);
});

test('a full ring answers posts with 503 at once, lets runs wait, and delivers all it took when nsqd comes back', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  await nsqd.stop();
  const plugin = makeRepository(join(temporaryFolder(t), 'large'), {
    plugin: `#!/bin/sh\nawk 'BEGIN { printf "["; for (n = 0; n < 60000; n++) printf "%s{\\"name\\":\\"n\\",\\"value\\":%d}", n ? "," : "", n; print "]" }'\n`,
  });
  const agent = await AgentProcess.start(t, {
    registry: {
      'plugin.shop': [{ measurement_type: 'PLUGIN', name: 'PLUGIN.large', git: plugin, interval: '0' }],
    },
    output: `servers = ["${nsqd.tcpAddress}"]\nresponsetimeout = 20`,
    spool: 'mode = "off"',
    runner: 'threads = 1',
  });
  await waitUntil('it is fetched', async () => (await agent.call('/plugins/list')).body.plugins[0]?.commit);
  const run = agent.call(`/plugins/run?ns=plugin.shop&repo=${encodeURIComponent(plugin)}&timeout=25`);
  await waitUntil(
    'the lane of the runner is full',
    async () => (await agent.outputStatus()).memoryPoints > 30_000,
  );
  const large = await agent.call('/post?ns=web.shop', metrics(20_000));
  assert.equal(large.status, 503);
  assert.match(large.body.error?.message ?? '', /the queue to the outputs is full/);

  const statuses: number[] = [];
  // Just small enough for the supervisor's own lane.
  const smallPosts = Array.from({ length: 500 }, async () => {
    const { status } = await agent.call('/post?ns=web.shop', metrics(450));
    statuses.push(status);
    return status;
  });
  await waitUntil('that lane is full, too', () => statuses.length > 50);
  assert.deepEqual([...new Set(statuses)], [503]);
  await nsqd.start();
  const accepted = (await Promise.all(smallPosts)).filter((status) => status === 200).length;
  assert.ok(accepted > 50, `${accepted} posts were accepted`);
  assert.equal((await run).body.points, 60_000);
  assert.equal((await agent.call('/post?ns=web.shop', metrics(20_000))).status, 200);
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.doesNotMatch(agent.stderr, /could not|ERROR/);
  const pointsOf = async (topic: string) =>
    (await nsqd.messages(topic)).reduce(
      (sum, message) => sum + JSON.parse(message.toString()).points.length,
      0,
    );
  assert.ok((await pointsOf('collect.web.shop')) >= accepted * 450 + 20_000);
  assert.ok((await pointsOf('collect.plugin.shop')) > 60_000);
});
