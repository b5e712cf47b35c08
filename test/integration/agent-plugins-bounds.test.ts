import assert from 'node:assert/strict';
import { realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AgentProcess } from '../support/agent-process.js';
import {
  callPlugin,
  listed,
  NAMESPACE,
  PluginRepositories,
  PRINT_UP,
  pluginItem,
  plugins,
  pointsOf,
  startWithPlugins,
  whenListed,
} from '../support/plugin-item.js';
import { waitUntil } from '../support/wait-until.js';

const isRoot = process.getuid?.() === 0;

test('a plugin runs as its user, in its folder, with the environment that is promised and no more', async (t) => {
  const repo = new PluginRepositories(t).make(
    'look',
    'cat /proc/self/environ; grep -E "^(Uid|Gid|Groups|CapEff):" /proc/self/status >&2; pwd -P >&2; ls -l /proc/self/fd/ | wc -l >&2; cut -d" " -f5-6 /proc/self/stat >&2; echo $$ >&2',
  );
  const agent = await startWithPlugins(t, [pluginItem('look', repo, '0')], {
    runner: 'environment = ["WANTED", "NOT_SET"]',
    environment: {
      WANTED: 'yes',
      SECRET: 'of the agent',
      TZ: 'UTC',
      LANG: 'C.UTF-8',
      AGENT_LOG_LOGLEVEL: 'DEBUG',
      NODE_OPTIONS: '--no-warnings',
    },
  });
  const { stdout, stderr } = (await callPlugin(agent, 'run', repo, '&timeout=7')).body;
  const variables = Object.fromEntries(
    stdout
      .split('\0')
      .filter((text: string) => text !== '')
      .map((text: string) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]),
  );
  // Shells set these by themselves.
  for (const name of ['PWD', 'OLDPWD', 'SHLVL', '_']) delete variables[name];
  assert.deepEqual(variables, {
    PATH: process.env.PATH,
    HOME: isRoot ? variables.HOME : process.env.HOME,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    WANTED: 'yes',
    AGENT_NAMESPACE: NAMESPACE,
    AGENT_PLUGIN: 'look',
    AGENT_INTERVAL: '0',
    AGENT_TIMEOUT: '7',
    AGENT_STATE: join(agent.folder, 'plugins', NAMESPACE, '.look', 'state'),
  });
  const [uid = '', gid = '', groups = '', capabilities = '', folder] = stderr.split('\n');
  const user = isRoot ? { uid: 65534, gid: 65534 } : userInfo();
  assert.deepEqual(uid.split('\t').slice(1), Array(4).fill(String(user.uid)));
  assert.deepEqual(gid.split('\t').slice(1), Array(4).fill(String(user.gid)));
  if (isRoot) assert.equal(groups.replace('Groups:', '').trim(), '', 'no groups of root');
  assert.match(capabilities, /^CapEff:\t0+$/);
  assert.equal(folder, realpathSync(join(agent.folder, 'plugins', NAMESPACE, 'look')));
});

test('intervals: every second with half a second of time, by a cron expression, and only on demand', async (t) => {
  const repositories = new PluginRepositories(t);
  const items = [
    pluginItem('second', repositories.make('second', 'exec sleep 600'), '1'),
    pluginItem('cron', repositories.make('cron', PRINT_UP), '* * * * * *'),
    pluginItem('never', repositories.make('never', PRINT_UP), '0'),
  ];
  const agent = await startWithPlugins(t, items, { runner: 'grace = 0.1' });
  await waitUntil('both run', () =>
    ['plugin.second', 'plugin.cron'].every((name) => pointsOf(agent, name).length > 1),
  );
  const [hanging] = pointsOf(agent, 'plugin.second');
  assert.deepEqual([hanging?.tags.status, hanging?.fields.value], ['timeout', 124]);
  assert.match(agent.stderr, /plugin second took longer than 500 ms/);
  // It has half a second, too, which may be too little now and then.
  await waitUntil('that of the expression ran to its end', () =>
    pointsOf(agent, 'plugin.cron').some(({ tags }) => tags.status === 'ok'),
  );
  const never = await listed(agent, 'never');
  assert.deepEqual([never.runs, never.interval, never.nextRunAt], [0, 0, undefined]);
  assert.equal((await listed(agent, 'cron')).interval, '* * * * * *');
});

test('a plugin that outlasts its interval is skipped, and counted in the list', async (t) => {
  const repo = new PluginRepositories(t).make('slow', "trap '' TERM; while :; do sleep 1; done");
  const agent = await startWithPlugins(t, [pluginItem('slow', repo, '1')], { runner: 'grace = 3' });
  const slow = await waitUntil('it has run and was skipped', async () => {
    const found = await listed(agent, 'slow');
    return found.runs > 0 && found.skipped > 1 && found;
  });
  assert.equal(slow.lastRun?.status, 'timeout');
  assert.match(slow.lastRun?.problem ?? '', /^plugin slow took longer than \d+ ms and was ended$/);
  assert.ok((await agent.call('/me/status')).body.runs.skipped >= slow.skipped);
});

test('hanging plugins that fill maxprocesses hold up neither calls nor, for long, the others', async (t) => {
  const repositories = new PluginRepositories(t);
  const hanging = repositories.make('hanging', 'exec sleep 600');
  const good = repositories.make('good', PRINT_UP);
  const registry = Object.fromEntries(
    Array.from({ length: 6 }, (_, n) => [`n${n}.shop`, [pluginItem('hanging', hanging, '3')]]),
  );
  const agent = await AgentProcess.start(t, {
    registry: { ...registry, [NAMESPACE]: [pluginItem('good', good, '1')] },
    runner: 'maxprocesses = 2\ngrace = 0.1',
  });
  await waitUntil('all places are taken', () =>
    /2 plugins are running at once and more are due/.test(agent.stderr),
  );
  assert.match(agent.stderr, /raise \[runner\] maxprocesses/);
  await waitUntil('the good one is there', async () => (await whenListed(agent, 'good'))?.state === 'ready');
  // One that is due every second may be at it this very moment; a waiting one is no obstacle.
  const { status } = (
    await waitUntil('it can be called', async () => {
      const answer = await callPlugin(agent, 'run', good);
      return answer.status !== 409 && answer;
    })
  ).body;
  assert.equal(status, 'ok');
  await waitUntil('all have hung once', async () =>
    (await plugins(agent)).every(
      ({ project, lastRun }) => project === 'good' || lastRun?.status === 'timeout',
    ),
  );
  const before = (await listed(agent, 'good')).runs;
  const hungBefore = pointsOf(agent, 'plugin.hanging').length;
  await waitUntil('it runs on', async () => (await listed(agent, 'good')).runs >= before + 5);
  const hungMeanwhile = pointsOf(agent, 'plugin.hanging').length - hungBefore;
  assert.ok(hungMeanwhile < 10, `those that hang have one of the places: ${hungMeanwhile}`);
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.doesNotMatch(agent.stderr, /runs could not put their points into the ring/);
});
