import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/supervisor/config/load-config.js';
import { startAgent } from '../../src/supervisor/lifecycle/agent.js';
import { AgentProcess } from '../support/agent-process.js';
import { call, makeSetting } from '../support/command-line.js';
import { type Exposition, readExposition } from '../support/exposition.js';
import { httpRequest } from '../support/http-request.js';
import { nsqdSkipReason, startNsqd } from '../support/nsqd.js';
import { PluginRepositories, pluginItem, startWithPlugins } from '../support/plugin-item.js';
import { recordingLog } from '../support/recording-log.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const SILENT_WORKER = new URL('../support/silent-publisher.js', import.meta.url);

const NSQ = { output: 'nsq', name: 'nsq' };
const skip = nsqdSkipReason;

function metrics(count: number): string {
  return JSON.stringify(Array.from({ length: count }, (_, n) => ({ name: 'numbered', value: n })));
}

/** What `/metrics` of an agent says, over its unix socket. */
async function scrape(socketPath: string): Promise<Exposition> {
  const { status, text } = await httpRequest(socketPath, '/metrics');
  assert.equal(status, 200, text);
  return readExposition(text);
}

test('points posted are accepted and delivered, in /metrics, in /me/status and at nsqd', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  const agent = await AgentProcess.start(t, {
    registry: { 'web.shop': [] },
    output: `servers = ["${nsqd.tcpAddress}"]`,
  });
  const sizes = [1, 2, 30, 5000];
  for (const size of sizes) assert.equal((await agent.call('/post?ns=web.shop', metrics(size))).status, 200);
  assert.equal((await agent.call('/post?ns=web.shop', '[{"name":"no good","value":1}]')).status, 400);
  const points = sizes.reduce((sum, size) => sum + size, 0);

  // A slow nsqd may confirm after the answer, which is given as soon as the points are on disk.
  const { value } = await waitUntil('all is delivered', async () => {
    const found = await scrape(agent.socketPath);
    return found.value('agent_output_lag_points', NSQ) === 0 && found;
  });
  assert.equal(value('agent_posted_points_total'), points);
  assert.equal(value('agent_posts_total', { result: 'accepted' }), sizes.length);
  assert.equal(value('agent_posts_total', { result: 'refused' }), 1);
  assert.equal(value('agent_output_accepted_points_total', NSQ), points);
  assert.equal(value('agent_output_delivered_points_total', NSQ), points);
  assert.equal(
    value('agent_output_accepted_records_total', NSQ),
    value('agent_output_delivered_records_total', NSQ),
  );
  assert.equal(value('agent_output_lag_seconds', NSQ), 0);
  assert.equal(value('agent_publisher_up'), 1);
  assert.equal(value('agent_namespaces'), 1);

  const status = (await agent.call('/me/status')).body;
  assert.deepEqual(status.posts, { accepted: sizes.length, points, refused: 1 });
  assert.equal(status.outputs?.[0]?.acceptedPoints, points);
  assert.equal(status.outputs?.[0]?.deliveredPoints, points);
  assert.equal(value('agent_info', { version: status.version, host: hostname() }), 1);
  assert.equal(value('agent_start_time_seconds'), Date.parse(status.startedAt) / 1000);

  const messages = await nsqd.messages('collect.web.shop');
  const received = messages.map((message) => JSON.parse(message.toString()).points.length);
  assert.equal(
    received.reduce((sum, length) => sum + length, 0),
    points,
  );
  assert.equal(value('agent_output_delivered_records_total', NSQ), messages.length);
});

test('while nsqd is away its lag grows in points and seconds, the other output has none, and it is gone later', {
  skip,
}, async (t) => {
  const nsqd = await startNsqd(t);
  const agent = await AgentProcess.start(t, {
    output: `servers = ["${nsqd.tcpAddress}"]\nresponsetimeout = 1`,
    outputs: `[[outputs]]\nname = "file"\nalias = "copy"\npath = "${join(temporaryFolder(t), 'points')}"`,
  });
  const copy = { output: 'copy', name: 'file' };
  assert.equal((await agent.call('/post?ns=web.shop', metrics(1))).status, 200);
  // A slow nsqd has not confirmed it yet when it is on disk.
  await waitUntil('it is delivered', async () => (await agent.outputStatus('nsq')).deliveredPoints === 1);
  await nsqd.stop();
  const sizes = [4, 3];
  const posts = await Promise.all(sizes.map((size) => agent.call('/post?ns=web.shop', metrics(size))));
  assert.deepEqual(
    posts.map(({ status }) => status),
    [200, 200],
  );
  const first = await waitUntil('both wait on disk', async () => {
    const found = await scrape(agent.socketPath);
    return found.value('agent_output_disk_points', NSQ) === 7 && found;
  });
  assert.equal(first.value('agent_output_lag_points', NSQ), 7);
  assert.equal(first.value('agent_output_accepted_points_total', NSQ), 8);
  assert.equal(first.value('agent_output_delivered_points_total', NSQ), 1);
  assert.ok(first.value('agent_output_spooled_points_total', NSQ) >= 7);
  assert.equal(first.value('agent_output_disk_records', NSQ), 2);
  assert.ok(first.value('agent_output_disk_bytes', NSQ) > 0);
  assert.equal(first.value('agent_posted_points_total'), 8);
  const before = first.value('agent_output_lag_seconds', NSQ);
  const later = await waitUntil('the lag grows, and only that', async () => {
    const found = await scrape(agent.socketPath);
    const hasGrown = found.value('agent_output_lag_seconds', NSQ) >= before + 1;
    return hasGrown && found.value('agent_output_lag_points', copy) === 0 && found;
  });
  assert.equal(later.value('agent_output_delivered_points_total', copy), 8);
  const { stdout } = await call(t, ['status', '-f', join(agent.folder, 'agent.toml')]);
  assert.match(
    stdout,
    /^delivery +nsq: .+\n +1 point delivered since the start, 7 waiting \(7 on disk\), the oldest for \d+ s\n/m,
  );
  assert.match(stdout, /^delivery +copy: .+\n +8 points delivered since the start, none waiting$/m);
  await nsqd.start();
  const last = await waitUntil('all is delivered', async () => {
    const found = await scrape(agent.socketPath);
    return found.value('agent_output_lag_points', NSQ) === 0 && found;
  });
  assert.equal(last.value('agent_output_delivered_points_total', NSQ), 8);
  assert.equal(last.value('agent_output_lag_seconds', NSQ), 0);
  assert.equal(last.value('agent_output_disk_points', NSQ), 0);
});

test('plugins and their runs are counted, and no label names a plugin or a namespace', async (t) => {
  const repositories = new PluginRepositories(t);
  const good = repositories.make('good', 'echo \'[{"name":"up","value":1}]\'');
  const bad = repositories.make('bad', 'exit 3');
  const agent = await startWithPlugins(t, [
    pluginItem('good', good, '1'),
    pluginItem('bad', bad, '1'),
    pluginItem('lost', repositories.folderOf('lost'), '1'),
  ]);
  const found = await waitUntil('all is counted', async () => {
    const { value, ...rest } = await scrape(agent.socketPath);
    const ok = value('agent_plugin_runs_total', { result: 'ok' });
    const failed = value('agent_plugin_runs_total', { result: 'failed' });
    return ok > 0 && failed > 0 && value('agent_plugins_failed') === 1 && { value, ...rest };
  });
  assert.equal(found.value('agent_plugins_known'), 3);
  assert.equal(found.value('agent_plugins_enabled'), 3);
  assert.ok(found.value('agent_registry_last_sync_timestamp_seconds') > 1e9);
  const labelNames = new Set(
    [...found.families.values()].flatMap(({ series }) => series.flatMap(({ labels }) => Object.keys(labels))),
  );
  assert.deepEqual([...labelNames].sort(), ['host', 'name', 'output', 'reason', 'result', 'version']);
  const later = await waitUntil('more was delivered', async () => {
    const next = await scrape(agent.socketPath);
    const labels = { output: 'stdout', name: 'stdout' };
    const points = (of: Exposition) => of.value('agent_output_delivered_points_total', labels);
    return points(next) > points(found) && next;
  });
  for (const [name, { type, series }] of found.families) {
    if (type !== 'counter') continue;
    for (const { labels, value } of series)
      assert.ok(later.value(name, labels) >= value, `${name} only grows`);
  }
});

test('a publisher that does not answer leaves everything else readable', async (t) => {
  const { file } = makeSetting(t);
  const { log } = recordingLog();
  const agent = await startAgent(loadConfig(file, {}), { log, publisherFile: SILENT_WORKER });
  t.after(() => agent.stop());
  const scrapes = await Promise.all([agent.tcpAddress, agent.socketPath, agent.socketPath].map(scrape));
  for (const { value, families } of scrapes) {
    assert.equal(value('agent_publisher_up'), 0);
    assert.deepEqual(
      [...families.keys()].filter((name) => name.startsWith('agent_output_')),
      [],
    );
    assert.equal(value('agent_plugins_known'), 0);
    assert.equal(value('agent_posted_points_total'), 0);
    assert.ok(value('process_cpu_seconds_total') > 0);
  }
  const { json } = await httpRequest(agent.socketPath, '/me/status');
  assert.ok(!Object.hasOwn(json as object, 'outputs'));
});
