import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import { opensslSkipReason, selfSignedCertificate } from '../support/certificate.js';
import { influxdSkipReason, startInfluxd } from '../support/influxd.js';
import { startAuthServer } from '../support/nsq-auth-server.js';
import { type Nsqd, nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { startNsqlookupd } from '../support/nsqlookupd.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const skip = nsqdSkipReason;

const METRIC = JSON.stringify([{ name: 'load', value: 42 }]);

/** What nsqd says of the connections over which it gets messages. */
async function connectionsOf(nsqd: Nsqd): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const response = await fetch(`http://${nsqd.httpAddress}/stats?format=json`);
  const { producers } = (await response.json()) as { producers?: Record<string, unknown>[] };
  return producers ?? [];
}

async function valuesAt(nsqd: Nsqd): Promise<unknown[]> {
  const messages = await nsqd.messages('collect.web.shop');
  return messages.map((message) => JSON.parse(message.toString()).points[0].fields.value);
}

test('an agent that knows nsqlookupd alone finds nsqd, also one that comes later', { skip }, async (t) => {
  const lookupd = await startNsqlookupd(t);
  const agent = await AgentProcess.start(t, {
    output: `lookupd = ["${lookupd.httpAddress}"]\nalias = "main"`,
  });
  const nsqd = await startNsqd(t, { arguments: [`--lookupd-tcp-address=${lookupd.tcpAddress}`] });
  await waitUntil('it is listed', async () => {
    const response = await fetch(`http://${lookupd.httpAddress}/nodes`);
    return ((await response.json()) as { producers: unknown[] }).producers.length === 1;
  });
  await waitUntil('a post is taken', async () => {
    const { status } = await agent.call('/post?ns=web.shop', METRIC);
    return status === 200;
  });
  await waitUntil('it is delivered', async () => (await agent.outputStatus('main')).lagPoints === 0);
  const values = await valuesAt(nsqd);
  assert.ok(values.length > 0 && values.every((value) => value === 42));
  const appeared = agent.stderr.split('\n').filter((line) => line.includes(`nsqd ${nsqd.tcpAddress}`));
  assert.ok(appeared.length > 0, agent.stderr);
  assert.doesNotMatch(agent.stderr, /127\.0\.0\.1:4150\b/, 'nobody has named the default server');
  assert.match(agent.stderr, / INFO .*output=main/, 'good news, under the alias of the output');
});

for (const compression of ['deflate', 'snappy'] as const) {
  test(`an agent sends to nsqd with ${compression}`, { skip }, async (t) => {
    const nsqd = await startNsqd(t);
    const agent = await AgentProcess.start(t, {
      output: `servers = ["${nsqd.tcpAddress}"]\ncompression = "${compression}"`,
    });
    assert.equal((await agent.call('/post?ns=web.shop', METRIC)).status, 200);
    // What takes longer than a second is on disk first.
    await waitUntil('it is delivered', async () => (await agent.outputStatus()).deliveredPoints === 1);
    const [connection] = await connectionsOf(nsqd);
    assert.equal(connection?.[compression], true);
    assert.deepEqual(await valuesAt(nsqd), [42]);
  });
}

test('an agent sends to an nsqd that asks for TLS, a certificate and AUTH, in the first output and further ones', {
  skip: skip || opensslSkipReason,
}, async (t) => {
  const folder = temporaryFolder(t);
  const server = selfSignedCertificate(folder, 'nsqd.test');
  const client = selfSignedCertificate(folder, 'client.test');
  chmodSync(client.keyFile, 0o600);
  const secretFile = join(folder, 'secret');
  writeFileSync(secretFile, 'open-sesame\n', { mode: 0o600 });
  const start = async () =>
    startNsqd(t, {
      arguments: [
        `--tls-cert=${server.certFile}`,
        `--tls-key=${server.keyFile}`,
        '--tls-required=tcp-https',
        '--tls-client-auth-policy=require-verify',
        `--tls-root-ca-file=${client.certFile}`,
        `--auth-http-address=${await startAuthServer(t, 'open-sesame', '.*')}`,
      ],
    });
  const [first, second] = await Promise.all([start(), start()]);
  const lines = (nsqd: Nsqd) => `servers = ["${nsqd.tcpAddress}"]
tls = true
tlsca = "${server.certFile}"
tlscert = "${client.certFile}"
tlskey = "${client.keyFile}"
tlsservername = "nsqd.test"
authsecretfile = "${secretFile}"`;
  const agent = await AgentProcess.start(t, {
    output: lines(first),
    outputs: `[[outputs]]\nalias = "second"\ncompression = "snappy"\n${lines(second)}`,
  });
  assert.equal((await agent.call('/post?ns=web.shop', METRIC)).status, 200);
  await waitUntil('both have it', async () => {
    const statuses = await Promise.all([agent.outputStatus('nsq'), agent.outputStatus('second')]);
    return statuses.every(({ deliveredPoints }) => deliveredPoints === 1);
  });
  for (const nsqd of [first, second]) {
    const [connection] = await connectionsOf(nsqd);
    assert.equal(connection?.tls, true);
    assert.equal((await nsqd.topicStats('collect.web.shop'))?.message_count, 1);
  }
  assert.equal((await connectionsOf(second))[0]?.snappy, true);
  assert.doesNotMatch(agent.stderr, /open-sesame/);
});

test('further outputs get what the first gets, each with its topics and its place', { skip }, async (t) => {
  const nsqd = await startNsqd(t);
  const folder = temporaryFolder(t);
  const path = join(folder, 'points.json');
  const agent = await AgentProcess.start(t, {
    outputs: `[[outputs]]
servers = ["${nsqd.tcpAddress}"]
topicprefix = "copy."
[[outputs]]
name = "file"
alias = "archive"
path = "${path}"`,
  });
  assert.equal((await agent.call('/post?ns=web.shop', METRIC)).status, 200);
  await waitUntil('all have it', async () => {
    const statuses = await Promise.all(
      ['stdout', 'nsq', 'archive'].map((alias) => agent.outputStatus(alias)),
    );
    return statuses.every(({ deliveredPoints }) => deliveredPoints === 1);
  });
  assert.equal(agent.documents()[0]?.points[0]?.fields.value, 42);
  assert.equal(JSON.parse(readFileSync(path, 'utf8')).points[0].fields.value, 42);
  assert.equal((await nsqd.messages('copy.web.shop')).length, 1);
});

test('an agent writes to an InfluxDB that asks for a user, with a database for each namespace', {
  skip: influxdSkipReason,
}, async (t) => {
  const influxd = await startInfluxd(t, { admin: { name: 'admin', password: 's3cret-word' } });
  await influxd.query('CREATE DATABASE "web.shop"');
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'password'), 's3cret-word\n', { mode: 0o600 });
  const agent = await AgentProcess.start(t, {
    outputs: `[[outputs]]
name = "influxdb"
alias = "history"
url = "${influxd.url}/"
database = "%s"
username = "admin"
passwordfile = "${folder}/password"
namespacetag = "ns"`,
  });
  assert.equal((await agent.call('/post?ns=web.shop', METRIC)).status, 200);
  await waitUntil('it is written', async () => (await agent.outputStatus('history')).deliveredPoints === 1);
  const [row] = await influxd.query('SELECT * FROM "load"', 'web.shop');
  assert.deepEqual([row?.value, row?.ns], [42, 'web.shop']);
  assert.doesNotMatch(agent.stderr, /s3cret/);
});

test('a namespace that the topics of a further output have no room for is refused', async (t) => {
  const agent = await AgentProcess.start(t, {
    outputs: '[[outputs]]\nservers = ["127.0.0.1:1"]\ntopicprefix = "a.long.prefix.of.its.own."',
  });
  const namespace = 'n'.repeat(45);
  assert.equal((await agent.call(`/post?ns=${namespace}`, METRIC)).status, 400);
});

test('a stop says what waits on disk, in log and answer, and the next start delivers it', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  await nsqd.stop();
  const output = `servers = ["${nsqd.tcpAddress}"]\nalias = "main"`;
  const first = await AgentProcess.start(t, { output, spool: 'mode = "always"' });
  assert.equal((await first.call('/post?ns=web.shop', METRIC)).status, 200);
  assert.equal(await first.kill('SIGTERM'), 0);
  assert.match(first.stderr, / INFO +1 point waits on disk for the next start/);
  assert.doesNotMatch(first.stderr, /lost/);
  assert.deepEqual(readdirSync(join(first.folder, 'state', 'spool')), ['main']);

  await nsqd.start();
  const second = await AgentProcess.start(t, { output, spool: 'mode = "always"', folder: first.folder });
  await waitUntil('it is delivered', async () => (await second.outputStatus()).deliveredPoints === 1);
  assert.equal(await second.kill('SIGTERM'), 0);
  assert.doesNotMatch(second.stderr, /waits? on disk for the next start/);
  assert.deepEqual(await valuesAt(nsqd), [42]);
});
