import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { processesIn } from '../../src/shared/cgroup-processes.js';
import { AgentProcess } from '../support/agent-process.js';
import { NO_CGROUPS, testCgroup } from '../support/cgroup.js';
import {
  callPlugin,
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

const PRINT_LIMITS = 'sleep 0.2; cat /proc/$$/limits; cut -d" " -f19 /proc/$$/stat';

test('plugins have the limits of the configuration, and those of their items in place of them', async (t) => {
  const repositories = new PluginRepositories(t);
  const [plain, own] = ['plain', 'own'].map((name) => repositories.make(name, PRINT_LIMITS)) as [
    string,
    string,
  ];
  const items = [
    pluginItem('plain', plain, '0'),
    pluginItem('own', own, '0', { openfiles: '40', nice: '9', cpuseconds: '0' }),
  ];
  const agent = await startWithPlugins(t, items, { runner: 'openfiles = 70\nnice = 3\ncpuseconds = 60' });
  const plainRun = (await callPlugin(agent, 'run', plain)).body;
  assert.match(plainRun.stdout, /Max open files +70 +70/);
  assert.match(plainRun.stdout, /Max cpu time +60 +61/);
  assert.match(plainRun.stdout, /\n3\n$/);
  const ownRun = (await callPlugin(agent, 'run', own)).body;
  assert.match(ownRun.stdout, /Max open files +40 +40/);
  assert.match(ownRun.stdout, /Max cpu time +unlimited/);
  assert.match(ownRun.stdout, /\n9\n$/);
});

test('plugins that take all they can get are ended, and the agent and the others carry on', async (t) => {
  const repositories = new PluginRepositories(t);
  const bad = [
    ['busy', 'while :; do :; done', { cpuseconds: '1' }],
    ['disk', 'cd "$AGENT_STATE"; sleep 0.2; exec head -c 90000000 /dev/zero >x', { filesize: '1000000' }],
    ['memory', `sleep 0.2; exec awk 'BEGIN { s = "x"; while (1) s = s s }'`, { addressspace: '100000000' }],
    // Gives up by itself.
    ['bomb', 'sleep 0.2; n=0; while [ $n -lt 200 ]; do sleep 3 & n=$((n+1)); done', { processes: '32' }],
  ] as const;
  const items = bad.map(([name, content, limits]) =>
    pluginItem(name, repositories.make(name, content), '0', limits),
  );
  // Half a second less it may run, of which a busy machine takes the better part.
  const good = pluginItem('good', repositories.make('good', PRINT_UP), '6');
  const agent = await startWithPlugins(t, [good, ...items], { runner: 'grace = 0.3' });
  const answers = await Promise.all(
    items.map(({ git = '' }) => callPlugin(agent, 'run', git, '&timeout=60')),
  );
  const problems = answers.map(({ body }) => body.problem);
  assert.equal(problems[0], 'plugin busy was ended by SIGXCPU: it used more than 1 second of processor time');
  assert.equal(problems[1], 'plugin disk was ended by SIGXFSZ: it wrote more than 1000000 bytes to a file');
  assert.match(problems[2] ?? '', /^plugin memory (exited with code|was ended by)/);
  assert.match(problems[3] ?? '', /^plugin bomb exited with code 2/);
  assert.match(answers[3]?.body.stderr ?? '', /fork/i);
  const runMetric = await waitUntil('its run metric is out', () => pointsOf(agent, 'plugin.busy')[0]);
  assert.deepEqual([runMetric.tags.status, runMetric.fields.value], ['signal', 152]);
  const soFar = pointsOf(agent, 'plugin.good').length;
  await waitUntil('the good one runs on', () => pointsOf(agent, 'plugin.good').length >= soFar + 1);
  for (const { tags } of pointsOf(agent, 'plugin.good')) assert.equal(tags.status, 'ok');
});

test('an item with a bad limit is a problem of its own', async (t) => {
  const repositories = new PluginRepositories(t);
  const good = pluginItem('good', repositories.make('good', PRINT_UP), '0', { memory: '64000000' });
  const bad = pluginItem('bad', repositories.make('bad', PRINT_UP), '0', { memory: 'lots' });
  const agent = await AgentProcess.start(t, { registry: { [NAMESPACE]: [bad, good] } });
  await waitUntil('it knows the good one', () => whenListed(agent, 'good'));
  assert.equal(await whenListed(agent, 'bad'), undefined);
  await waitUntil('the log says why', () =>
    /"memory" is \\"lots\\"|"memory" is "lots"|memory.{1,4} is .{1,4}lots/.test(agent.stderr),
  );
});

test('plugins run in a cgroup each, which goes with the plugin and with the agent', {
  skip: NO_CGROUPS ?? false,
}, async (t) => {
  const root = testCgroup(t);
  const repositories = new PluginRepositories(t);
  const item = (name: string) => pluginItem(name, repositories.make(name, PRINT_UP), '1');
  const items = [item('one'), item('two')];
  const agent = await startWithPlugins(t, items, { runner: `cgroup = "${root}"` });
  const ran = (name: string) => pointsOf(agent, `plugin.${name}`).length;
  await waitUntil('both have run', () => ran('one') > 0 && ran('two') > 0);
  const [base = ''] = foldersIn(root);
  assert.deepEqual(foldersIn(join(root, base)), [`plugin:${NAMESPACE}:one`, `plugin:${NAMESPACE}:two`]);
  agent.changeRegistry({ [NAMESPACE]: [items[0] ?? {}] });
  await waitUntil('one is left', () => foldersIn(join(root, base)).length === 1);
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.deepEqual(foldersIn(root), []);
});

test('a killed agent leaves cgroups with what runs in them, and its next start ends and removes these', {
  skip: NO_CGROUPS ?? false,
}, async (t) => {
  const root = testCgroup(t);
  // The first process of a run may go with the agent; what that has started does not.
  const repo = new PluginRepositories(t).make('hanging', 'sleep 0.2; sleep 600 & wait');
  const runner = `cgroup = "${root}"`;
  const first = await startWithPlugins(t, [pluginItem('hanging', repo, '0')], { runner });
  void callPlugin(first, 'run', repo, '&timeout=200').catch(() => undefined);
  const folder = () => join(root, foldersIn(root)[0] ?? '', `plugin:${NAMESPACE}:hanging`);
  const pid = await waitUntil('it runs', () => processesIn(folder()).find(isLongSleep));
  await first.kill('SIGKILL');
  assert.ok(isAlive(pid));
  // Of another agent that is gone, and of one that runs: of this test.
  const [gone, other] = [
    join(root, `agent-0123456789ab-${first.pid}`),
    join(root, `agent-0123456789ab-${process.pid}`),
  ];
  for (const path of [gone, join(gone, 'plugin:a:b'), other]) mkdirSync(path);
  const second = await AgentProcess.start(t, { folder: first.folder, registry: { [NAMESPACE]: [] }, runner });
  await waitUntil('what ran is ended', () => !isAlive(pid));
  await waitUntil('the cgroup of the one that is gone is, too', () => !existsSync(gone));
  assert.ok(existsSync(other));
  const [left] = foldersIn(root).filter((name) => name.endsWith(`-${second.pid}`));
  assert.deepEqual(foldersIn(join(root, left ?? 'missing')), []);
  assert.equal(await second.kill('SIGTERM'), 0);
});

test('without cgroups plugins run all the same, and the log says why there are none', async (t) => {
  const repo = new PluginRepositories(t).make('good', PRINT_UP);
  const runner = 'cgroup = "/proc/nowhere"';
  const agent = await startWithPlugins(t, [pluginItem('good', repo, '0')], { runner });
  assert.equal((await callPlugin(agent, 'run', repo)).body.status, 'ok');
  assert.match(agent.stderr, /plugins run without cgroups: /);
});

function isLongSleep(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').join(' ') === 'sleep 600 ';
  } catch {
    // It has ended.
    return false;
  }
}

function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}
