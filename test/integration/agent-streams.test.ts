import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentProcess } from '../support/agent-process.js';
import { commitTo } from '../support/git-repository.js';
import { NO_LAUNCHER } from '../support/launcher.js';
import {
  callPlugin,
  listed,
  NAMESPACE,
  PluginRepositories,
  PRINT_UP,
  pluginItem,
  pointsOf,
  startWithPlugins,
  whenListed,
} from '../support/plugin-item.js';
import { isAlive } from '../support/processes.js';
import { waitUntil } from '../support/wait-until.js';

/** Prints its pid, version and first parameter in every sample, and runs on. */
const stream = (version: number) =>
  `printf '{"name":"pid","value":%d,"tags":{"version":"${version}","parameter":"%s"}}\\n' $$ "$1"; exec sleep 600`;

function streamItem(name: string, repo: string, more: Readonly<Record<string, string>> = {}) {
  const { interval, ...item } = pluginItem(name, repo, '0', { mode: 'stream', ...more });
  return item;
}

/** Waits for a process of a stream that is none of those known. */
function newProcess(agent: AgentProcess, name: string, known: readonly number[] = []) {
  return waitUntil(`a process of ${name} has printed`, () => {
    const point = pointsOf(agent, `PLUGIN.${name}.pid`).findLast(
      ({ fields }) => !known.includes(Number(fields.value)),
    );
    return point && { pid: Number(point.fields.value), tags: point.tags };
  });
}

const gone = (pid: number) => waitUntil(`process ${pid} is gone`, () => !isAlive(pid));

function runMetrics(agent: AgentProcess, name: string) {
  return pointsOf(agent, `plugin.${name}`).map(({ tags, fields }) => [tags.type, tags.status, fields.value]);
}

test('a stream is started once, started again when it ends, ended on disable, and gone with the agent', async (t) => {
  const repo = new PluginRepositories(t).make('live', stream(1));
  const agent = await startWithPlugins(t, [streamItem('live', repo)]);
  const { pid } = await newProcess(agent, 'live');
  const { mode, interval, running, runs, stream: state } = await listed(agent, 'live');
  assert.deepEqual([mode, interval, running, runs], ['stream', 0, true, 0]);
  assert.deepEqual([state?.restarts, state?.points, state?.badMetrics], [0, 1, 0]);
  assert.ok(Date.parse(state?.startedAt ?? '') <= Date.now());
  assert.equal((await agent.call('/me/status')).body.plugins.running, 1);

  const called = await callPlugin(agent, 'run', repo);
  assert.deepEqual([called.status, called.body.error?.code], [409, 'stream']);
  assert.match(
    called.body.error?.message ?? '',
    /web\.shop\/live runs all the time and cannot be run on call/,
  );

  process.kill(pid, 'SIGKILL');
  const second = await newProcess(agent, 'live', [pid]);
  const after = await listed(agent, 'live');
  assert.deepEqual([after.stream?.restarts, after.runs, after.lastRun?.status], [1, 1, 'signal']);
  await waitUntil('its end is told', () => runMetrics(agent, 'live').length === 1);
  assert.deepEqual(runMetrics(agent, 'live'), [['stream', 'signal', 137]]);

  assert.equal((await callPlugin(agent, 'disable', repo)).status, 200);
  await gone(second.pid);
  const disabled = await waitUntil('it has ended', async () => {
    const found = await listed(agent, 'live');
    return !found.running && found;
  });
  assert.deepEqual([disabled.enabled, disabled.stream?.startedAt], [false, undefined]);
  await waitUntil('its end is told', () => runMetrics(agent, 'live').length === 2);
  assert.deepEqual(runMetrics(agent, 'live')[1], ['stream', 'ok', 0]);
  assert.equal((await callPlugin(agent, 'enable', repo)).status, 200);
  const third = await newProcess(agent, 'live', [pid, second.pid]);

  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.equal(isAlive(third.pid), false);
  assert.deepEqual(runMetrics(agent, 'live').at(-1), ['stream', 'ok', 0]);
});

test('a stream does not outlive an agent that is killed, also without cgroups', {
  skip: NO_LAUNCHER ?? false,
}, async (t) => {
  const repo = new PluginRepositories(t).make('live', stream(1));
  const agent = await startWithPlugins(t, [streamItem('live', repo)], {
    runner: 'cgroup = "off"\nengine = "launcher"',
  });
  const { pid } = await newProcess(agent, 'live');
  await agent.kill('SIGKILL');
  await gone(pid);
});

test('a stream changes with its version and its item, and ends with it', async (t) => {
  const repositories = new PluginRepositories(t);
  const repo = repositories.make('live', stream(1));
  const agent = await startWithPlugins(t, [streamItem('live', repo, { parameters: 'one' })]);
  const first = await newProcess(agent, 'live');
  assert.deepEqual([first.tags.version, first.tags.parameter], ['1', 'one']);

  await commitTo(repositories.folderOf('live'), { plugin: `#!/bin/sh\n${stream(2)}\n` });
  assert.equal((await callPlugin(agent, 'update', repo)).body.changed, true);
  const second = await newProcess(agent, 'live', [first.pid]);
  assert.equal(second.tags.version, '2');
  await gone(first.pid);
  assert.equal((await callPlugin(agent, 'update', repo)).body.changed, false);
  assert.equal(isAlive(second.pid), true, 'nothing new, nothing to end');

  agent.changeRegistry({ [NAMESPACE]: [streamItem('live', repo, { parameters: 'two' })] });
  const third = await newProcess(agent, 'live', [first.pid, second.pid]);
  assert.deepEqual([third.tags.version, third.tags.parameter], ['2', 'two']);
  await gone(second.pid);
  assert.equal((await listed(agent, 'live')).stream?.restarts, 0, 'it never ended by itself');

  agent.changeRegistry({ [NAMESPACE]: [pluginItem('live', repo, '0')] });
  await gone(third.pid);
  const listing = await waitUntil('it only runs on call', async () => {
    const found = await listed(agent, 'live');
    return found.mode === 'run' && !found.running && found;
  });
  assert.equal(listing.stream, undefined);

  agent.changeRegistry({ [NAMESPACE]: [streamItem('live', repo)] });
  const fourth = await newProcess(agent, 'live', [first.pid, second.pid, third.pid]);
  agent.changeRegistry({ [NAMESPACE]: [] });
  await gone(fourth.pid);
  await waitUntil('it is not listed', async () => (await whenListed(agent, 'live')) === undefined);
});

test('streams take no turns, and get no interval and no time-out; one in a loop of failures harms nobody', async (t) => {
  const repositories = new PluginRepositories(t);
  const live = repositories.make('live', stream(1));
  const other = repositories.make(
    'other',
    `printf 'm interval=%s,timeout=%s\\n' "$AGENT_INTERVAL" "$AGENT_TIMEOUT"; exec sleep 600`,
  );
  const failing = repositories.make('failing', 'exit 7');
  const regular = repositories.make('regular', PRINT_UP);
  const agent = await startWithPlugins(
    t,
    [
      streamItem('live', live),
      streamItem('other', other, { format: 'influx' }),
      streamItem('failing', failing),
      pluginItem('regular', regular, '1'),
    ],
    { runner: 'maxprocesses = 1' },
  );
  await newProcess(agent, 'live');
  const point = await waitUntil('the other one has printed', () => pointsOf(agent, 'PLUGIN.other.m')[0]);
  assert.deepEqual(point.fields, { interval: 0, timeout: 0 });
  await waitUntil('the regular one ran', () => pointsOf(agent, 'PLUGIN.regular.up').length > 1);
  const { stream: state, lastRun } = await waitUntil('it was started again', async () => {
    const found = await listed(agent, 'failing');
    return (found.stream?.restarts ?? 0) > 1 && found;
  });
  assert.ok(Number(state?.restarts) < 100, 'not without a pause');
  assert.deepEqual([lastRun?.status, lastRun?.value], ['exit', 7]);
  assert.equal((await listed(agent, 'live')).stream?.restarts, 0);
});

test('a stream that is disabled when the agent starts is not started, and goes on when it is enabled', async (t) => {
  const repo = new PluginRepositories(t).make('live', stream(1));
  const agent = await startWithPlugins(t, [streamItem('live', repo)]);
  const { pid } = await newProcess(agent, 'live');
  await callPlugin(agent, 'disable', repo);
  await gone(pid);
  await agent.kill('SIGTERM');
  const again = await startWithPlugins(t, [streamItem('live', repo)], { folder: agent.folder });
  await waitUntil('it is there', async () => (await listed(again, 'live')).state === 'ready');
  await waitUntil('it is kept', async () => (await listed(again, 'live')).stream !== undefined);
  assert.equal((await listed(again, 'live')).running, false);
  await callPlugin(again, 'enable', repo);
  await newProcess(again, 'live', [pid]);
});

test('a stream that a killed agent left running is ended by the next start, also what it has started', async (t) => {
  const repo = new PluginRepositories(t).make(
    'live',
    `(cd /; exec setsid sleep 600) & printf '{"name":"child","value":%d}\\n' $!; ${stream(1)}`,
  );
  const runner = 'cgroup = "off"';
  const agent = await startWithPlugins(t, [streamItem('live', repo)], { runner });
  const { pid } = await newProcess(agent, 'live');
  const child = Number(pointsOf(agent, 'PLUGIN.live.child')[0]?.fields.value);
  await agent.kill('SIGKILL');
  // The first process of a run may have gone with it.
  assert.ok(isAlive(child));
  const again = await startWithPlugins(t, [streamItem('live', repo)], { folder: agent.folder, runner });
  await newProcess(again, 'live', [pid]);
  await Promise.all([pid, child].map(gone));
  assert.match(again.stderr, /left running by an agent that was killed, and ended now/);
});

test('more streams than maxstreams wait until one ends, and the log says so', async (t) => {
  const repositories = new PluginRepositories(t);
  const repos = ['one', 'two'].map((name) => repositories.make(name, stream(1)));
  const items = repos.map((repo, index) => streamItem(['one', 'two'][index] ?? '', repo));
  const agent = await startWithPlugins(t, items, { runner: 'maxstreams = 1' });
  await waitUntil('the log says so', () =>
    /1 plugin runs all the time and there are more/.test(agent.stderr),
  );
  const running = async () =>
    (await Promise.all(['one', 'two'].map((name) => listed(agent, name)))).filter((found) => found.running);
  const [first] = await waitUntil('one runs', async () => {
    const found = await running();
    return found.length === 1 && found;
  });
  await callPlugin(agent, 'disable', first?.repo ?? '');
  await waitUntil('the other one runs', async () => {
    const found = await running();
    return found.length === 1 && found[0]?.name !== first?.name;
  });
});

test('a stream that is disabled while it waits for a place does not take it', async (t) => {
  const repositories = new PluginRepositories(t);
  const names = ['one', 'two', 'three'];
  const items = names.map((name) => streamItem(name, repositories.make(name, stream(1))));
  const agent = await startWithPlugins(t, items, { runner: 'maxstreams = 1' });
  const [first, ...others] = await waitUntil('one has printed', () => {
    const begun = names.filter((name) => pointsOf(agent, `PLUGIN.${name}.pid`).length > 0);
    return begun.length > 0 && [...begun, ...names.filter((name) => !begun.includes(name))];
  });
  const { pid } = await newProcess(agent, first ?? '');
  for (const name of [...others, first ?? ''])
    assert.equal((await callPlugin(agent, 'disable', (await listed(agent, name)).repo)).status, 200);
  await gone(pid);
  await callPlugin(agent, 'enable', (await listed(agent, first ?? '')).repo);
  await newProcess(agent, first ?? '', [pid]);
  for (const name of others) assert.deepEqual(pointsOf(agent, `PLUGIN.${name}.pid`), []);
});

test('a mode or format that is unknown is a problem of that item alone', async (t) => {
  const repositories = new PluginRepositories(t);
  const good = repositories.make('good', PRINT_UP);
  const agent = await startWithPlugins(t, [pluginItem('good', good, '0')]);
  agent.changeRegistry({
    [NAMESPACE]: [
      pluginItem('good', good, '0'),
      pluginItem('odd', repositories.make('odd', ':'), '0', { format: 'graphite' }),
      pluginItem('strange', repositories.make('strange', ':'), '0', { mode: 'daemon' }),
    ],
  });
  const { problems, unchanged } = (await agent.call('/update')).body;
  assert.equal(unchanged, 1);
  assert.deepEqual(problems, [
    'web.shop PLUGIN.odd: format "graphite" is none of json, influx, nagios, prometheus',
    'web.shop PLUGIN.strange: mode "daemon" is none of run, stream',
  ]);
});
