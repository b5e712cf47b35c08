import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { DROP_REASONS, type GoPluginStatus, type OutputStatus } from '../../src/shared/output-status.js';
import type { AgentStatus } from '../../src/supervisor/http/operations.js';
import { agentMetrics } from '../../src/supervisor/metrics/agent-metrics.js';
import { EventLoopLag } from '../../src/supervisor/metrics/event-loop-lag.js';
import { type ProcessUsage, readProcessUsage } from '../../src/supervisor/metrics/process-usage.js';
import { readExposition } from '../support/exposition.js';
import { STATUS } from '../support/http-server.js';
import { outputStatus } from '../support/output-status.js';
import { waitUntil } from '../support/wait-until.js';

const USAGE: ProcessUsage = {
  startedAtSeconds: 1_893_456_000.25,
  cpuSeconds: 1.5,
  residentBytes: 100_000_000,
  openDescriptors: 30,
  maxDescriptors: 1024,
};
const LAG = { p99Seconds: 0.002, maxSeconds: 0.25 };

/** Every number another one, so that a mix-up shows. */
const NSQ = outputStatus({
  output: 'main',
  acceptedRecords: 101,
  acceptedPoints: 102,
  deliveredRecords: 103,
  deliveredPoints: 104,
  retriedRecords: 105,
  spooledRecords: 106,
  spooledPoints: 107,
  setAsidePoints: 108,
  droppedPoints: { full: 109, damaged: 110, 'no-room': 111 },
  memoryPoints: 112,
  diskRecords: 113,
  diskPoints: 114,
  diskBytes: 115,
  lagPoints: 116,
  lagSeconds: 117.5,
});

async function exposed(status: Partial<AgentStatus> = {}, usage = USAGE) {
  const { text } = await agentMetrics({ status: { ...STATUS, ...status }, usage, lag: LAG });
  return readExposition(text);
}

test('every count of an output has its metric', async () => {
  const { value } = await exposed({ outputs: [outputStatus({ output: 'other', name: 'influxdb' }), NSQ] });
  const labels = { output: 'main', name: 'nsq' };
  const said = (name: string) => value(`agent_output_${name}`, labels);
  assert.deepEqual(
    {
      output: 'main',
      name: 'nsq',
      state: NSQ.state,
      isUp: said('up') === 1,
      lastError: undefined,
      servers: NSQ.servers,
      acceptedRecords: said('accepted_records_total'),
      acceptedPoints: said('accepted_points_total'),
      deliveredRecords: said('delivered_records_total'),
      deliveredPoints: said('delivered_points_total'),
      retriedRecords: said('retried_records_total'),
      spooledRecords: said('spooled_records_total'),
      spooledPoints: said('spooled_points_total'),
      setAsidePoints: said('set_aside_points_total'),
      droppedPoints: Object.fromEntries(
        DROP_REASONS.map((reason) => [
          reason,
          value('agent_output_dropped_points_total', { ...labels, reason }),
        ]),
      ),
      memoryPoints: said('memory_points'),
      diskRecords: said('disk_records'),
      diskPoints: said('disk_points'),
      diskBytes: said('disk_bytes'),
      lagPoints: said('lag_points'),
      lagSeconds: said('lag_seconds'),
    } satisfies Record<Exclude<keyof OutputStatus, 'plugin'>, unknown>,
    NSQ,
  );
  assert.equal(value('agent_output_delivered_points_total', { output: 'other', name: 'influxdb' }), 0);
});

test('every count of a Golang output plugin has its metric', async () => {
  const plugin: GoPluginStatus = {
    library: '/opt/out_x.so',
    state: 'restarting',
    pid: undefined,
    restarts: 1,
    chunks: { ok: 2, error: 3, retry: 4 },
    bytes: { ok: 5, error: 6, retry: 7 },
    setAsideChunks: 8,
    retriesWaiting: 9,
  };
  const { value, has } = await exposed({ outputs: [NSQ, outputStatus({ output: 'x', name: 'go', plugin })] });
  const labels = { output: 'x', library: '/opt/out_x.so' };
  const said = (name: string, more = {}) => value(`agent_output_plugin_${name}`, { ...labels, ...more });
  assert.equal(said('state', { state: 'restarting' }), 1);
  assert.equal(said('state', { state: 'running' }), 0);
  assert.equal(said('host_restarts_total'), 1);
  for (const [name, counts] of [
    ['chunks_total', plugin.chunks],
    ['chunk_bytes_total', plugin.bytes],
  ] as const) {
    for (const [result, count] of Object.entries(counts)) assert.equal(said(name, { result }), count);
  }
  assert.equal(said('set_aside_chunks_total'), 8);
  assert.equal(said('retries_waiting'), 9);
  assert.equal(has('agent_output_plugin_state'), true);
  assert.equal((await exposed({ outputs: [NSQ] })).has('agent_output_plugin_state'), false);
});

test('what the supervisor knows has its metrics, with times as unix seconds', async () => {
  const { value } = await exposed({
    startedAt: '2030-01-01T00:00:00.500Z',
    namespaces: ['a.b', 'c.d'],
    plugins: { known: 7, enabled: 6, running: 5, failed: 4 },
    runs: {
      ok: 30,
      failed: 20,
      skipped: 10,
      waiting: 5,
      lateness: { p50Ms: 1, p99Ms: 20, maxMs: 1500 },
    },
    posts: { accepted: 3, points: 33, refused: 2 },
    measured: [{ type: 'CPU', rounds: 4, points: 40 }],
  });
  assert.equal(value('agent_info', { version: '1.2.3', host: 'db1' }), 1);
  assert.equal(value('agent_start_time_seconds'), 1_893_456_000.5);
  assert.equal(value('agent_registry_last_sync_timestamp_seconds'), 1_893_456_001);
  assert.equal(value('agent_namespaces'), 2);
  assert.deepEqual(
    ['known', 'enabled', 'running', 'failed'].map((state) => value(`agent_plugins_${state}`)),
    [7, 6, 5, 4],
  );
  assert.equal(value('agent_plugin_runs_total', { result: 'ok' }), 30);
  assert.equal(value('agent_plugin_runs_total', { result: 'failed' }), 20);
  assert.equal(value('agent_plugin_runs_skipped_total'), 10);
  assert.equal(value('agent_plugin_runs_waiting'), 5);
  assert.deepEqual(
    ['p50', 'p99', 'max'].map((part) => value(`agent_plugin_run_lateness_${part}_seconds`)),
    [0.001, 0.02, 1.5],
  );
  assert.equal(value('agent_posts_total', { result: 'accepted' }), 3);
  assert.equal(value('agent_posts_total', { result: 'refused' }), 2);
  assert.equal(value('agent_posted_points_total'), 33);
  assert.equal(value('process_cpu_seconds_total'), 1.5);
  assert.equal(value('process_resident_memory_bytes'), 100_000_000);
  assert.equal(value('process_start_time_seconds'), 1_893_456_000.25);
  assert.equal(value('process_open_fds'), 30);
  assert.equal(value('process_max_fds'), 1024);
  assert.equal(value('agent_event_loop_lag_p99_seconds'), 0.002);
  assert.equal(value('agent_event_loop_lag_max_seconds'), 0.25);
});

test('a registry that has never answered is a 0, what /proc does not tell is left out', async () => {
  const { value, has } = await exposed(
    { registry: { address: 'file:/r.json' } },
    { ...USAGE, openDescriptors: undefined, maxDescriptors: undefined },
  );
  assert.equal(value('agent_registry_last_sync_timestamp_seconds'), 0);
  assert.equal(has('process_open_fds'), false);
  assert.equal(has('process_max_fds'), false);
});

test('without an answer of the publisher its metrics are missing and a gauge says so', async () => {
  const silent = await exposed({ outputs: undefined });
  assert.equal(silent.value('agent_publisher_up'), 0);
  const left = [...silent.families.keys()].filter((name) => name.startsWith('agent_output_'));
  assert.deepEqual(left, []);
  const { families, value } = await exposed();
  assert.equal(value('agent_publisher_up'), 1);
  assert.deepEqual(
    [...families.keys()].filter((name) => !name.startsWith('agent_output_')),
    [...silent.families.keys()],
    'the rest is all there',
  );
});

test('a second reading counts nothing twice, and readings at the same time do not mix', async () => {
  const counts = [1, 2, 3, 4].map((deliveredPoints) =>
    exposed({ outputs: [outputStatus({ deliveredPoints })] }),
  );
  const texts = await Promise.all(counts);
  assert.deepEqual(
    texts.map(({ value }) => value('agent_output_delivered_points_total', { output: 'nsq', name: 'nsq' })),
    [1, 2, 3, 4],
  );
});

test('odd names come back from the text as they are', async () => {
  const host = 'a "quoted" \\ host\nwith two lines, {and}="more"';
  const { value } = await exposed({ host });
  assert.equal(value('agent_info', { version: '1.2.3', host }), 1);
});

test('how many series there are depends on the outputs alone', async () => {
  const count = async (status: Partial<AgentStatus>) =>
    [...(await exposed(status)).families.values()].reduce((sum, { series }) => sum + series.length, 0);
  const outputs = [outputStatus()];
  const few = await count({ outputs, namespaces: [] });
  const namespaces = Array.from({ length: 1000 }, (_, n) => `shop.n${n}`);
  assert.equal(await count({ outputs, namespaces }), few);
  const perOutput = (await count({ outputs: [outputStatus(), NSQ] })) - few;
  assert.equal((await count({ outputs: [] })) + perOutput, few);
});

test('the use of the process is read as it is', async () => {
  const before = await readProcessUsage();
  assert.ok(Math.abs(before.startedAtSeconds - (Date.now() / 1000 - process.uptime())) < 5);
  assert.ok(before.cpuSeconds > 0);
  assert.ok(before.residentBytes > 10_000_000);
  if (before.openDescriptors === undefined) return;
  const opened = Array.from({ length: 20 }, () => openSync('/dev/null', 'r'));
  const during = await readProcessUsage();
  for (const descriptor of opened) closeSync(descriptor);
  assert.ok(Number(during.openDescriptors) >= before.openDescriptors + 10);
  assert.ok(during.maxDescriptors === undefined || during.maxDescriptors > Number(during.openDescriptors));
});

test('a thread that was held up is seen, whoever has looked before, until two windows are over', async (t) => {
  const lag = new EventLoopLag(1000);
  t.after(() => lag.close());
  // Not only once: what is between two turns of the watch's timer is seen, and the first one may be still to come.
  await waitUntil('it is seen', () => {
    const until = performance.now() + 600;
    while (performance.now() < until);
    return lag.read().maxSeconds >= 0.4;
  });
  assert.ok(lag.read().maxSeconds >= 0.4, 'reading does not forget');
  assert.ok(lag.read().p99Seconds <= lag.read().maxSeconds);
  await waitUntil('it is over', () => lag.read().maxSeconds < 0.4);
});
