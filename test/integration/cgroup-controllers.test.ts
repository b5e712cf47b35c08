import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { moveProcess, processesIn } from '../../src/shared/cgroup-processes.js';
import type { PluginCgroup, PluginLimits } from '../../src/shared/plugin-limits.js';
import { type OpenCgroups, openCgroups } from '../../src/supervisor/cgroups/open-cgroups.js';
import { ownCgroup } from '../../src/supervisor/cgroups/own-cgroup.js';
import { AgentProcess } from '../support/agent-process.js';
import { controlledCgroup, NO_CONTROLLERS } from '../support/cgroup.js';
import { shellPlugin } from '../support/plugin-folder.js';
import { callPlugin, NAMESPACE, PluginRepositories, PRINT_UP, pluginItem } from '../support/plugin-item.js';
import { recordingLog } from '../support/recording-log.js';
import { NO_LIMITS, runnerPool } from '../support/runner-pool.js';
import { waitUntil } from '../support/wait-until.js';

const skip = NO_CONTROLLERS ?? false;
const METRIC = `echo '[{"name":"a","value":1}]'`;

test('what is set are values of the kernel', { skip }, async (t) => {
  const { plugins } = await opened(t);
  const limits = { ...NO_LIMITS, memory: 48_000_000, processes: 20, cpus: 0.25 };
  const { folder, controllers } = cgroupOf(plugins, 'web/a', limits);
  assert.deepEqual([...controllers].sort(), ['cpu', 'memory', 'pids']);
  const value = (name: string) => readFileSync(join(folder, name), 'utf8').trim();
  // Whole pages.
  assert.ok(Math.abs(Number(value('memory.max')) - 48_000_000) < 65_536, value('memory.max'));
  if (existsSync(join(folder, 'memory.swap.max'))) assert.equal(value('memory.swap.max'), '0');
  assert.equal(value('memory.oom.group'), '1');
  assert.equal(value('pids.max'), '20');
  assert.equal(value('cpu.max'), '25000 100000');
  cgroupOf(plugins, 'web/a', NO_LIMITS);
  assert.deepEqual([value('memory.max'), value('pids.max'), value('cpu.max')], ['max', 'max', 'max 100000']);
  assert.equal(value('memory.swap.max'), 'max');
});

test('a fork bomb stops at the processes of its own cgroup, and others of the same user run on', {
  skip,
}, async (t) => {
  const { plugins } = await opened(t);
  const limits = { ...NO_LIMITS, processes: 32 };
  const cgroup = cgroupOf(plugins, 'web/bomb', limits);
  const runner = runnerPool(t);
  const bomb = shellPlugin(
    t,
    'ulimit -u >&2',
    'n=0',
    'while [ $n -lt 100 ]; do sleep 20 & n=$((n+1)); echo "n $n" >&2; done',
  );
  const bombing = runner.run({ folder: bomb, cgroup, limits, timeoutMs: 20_000, anyOutput: true });
  const pidsNow = () => Number(readFileSync(join(cgroup.folder, 'pids.current'), 'utf8'));
  const otherLimits = { ...NO_LIMITS, processes: 8 };
  const otherCgroup = cgroupOf(plugins, 'web/other', otherLimits);
  for (let n = 0; n < 3; n += 1) {
    assert.ok(pidsNow() <= 32, String(pidsNow()));
    const folder = shellPlugin(t, '/bin/true', METRIC);
    const other = await runner.run({ folder, cgroup: otherCgroup, limits: otherLimits });
    assert.deepEqual([other.status, other.points], ['ok', 1], other.stderrEnd);
  }
  const { status, stderrEnd } = await bombing;
  assert.notEqual(status, 'ok');
  const started = stderrEnd.split('\n').filter((line) => line.startsWith('n ')).length;
  assert.equal(started, 31, 'all but the shell itself');
  assert.match(stderrEnd, /fork/i);
  const events = readFileSync(join(cgroup.folder, 'pids.events'), 'utf8');
  assert.ok(Number(/^max (\d+)/m.exec(events)?.[1]) > 0, events);
  await waitUntil('all are gone', () => processesIn(cgroup.folder).length === 0);
});

test('two that are busy together have the processor time of their plugin only', { skip }, async (t) => {
  const { plugins } = await opened(t);
  const limits = { ...NO_LIMITS, cpus: 0.2 };
  const cgroup = cgroupOf(plugins, 'web/busy', limits);
  const busy = 'while :; do :; done';
  const before = usage(cgroup);
  const begin = performance.now();
  const outcome = await runnerPool(t).run({
    folder: shellPlugin(t, `(${busy}) &`, busy),
    cgroup,
    limits,
    timeoutMs: 8000,
  });
  const seconds = (performance.now() - begin) / 1000;
  assert.equal(outcome.status, 'timeout');
  const used = usage(cgroup) - before;
  t.diagnostic(`${used.toFixed(2)} s of processor time in ${seconds.toFixed(2)} s`);
  assert.ok(used <= 0.2 * seconds + 0.3, `${used} in ${seconds}`);
  assert.ok(used >= 0.2, `${used} in ${seconds}`);
  const stat = readFileSync(join(cgroup.folder, 'cpu.stat'), 'utf8');
  assert.ok(Number(/^nr_throttled (\d+)$/m.exec(stat)?.[1]) > 10, stat);
});

test('memory of several processes counts together, and the next run begins anew', { skip }, async (t) => {
  const { plugins } = await opened(t);
  const limits = { ...NO_LIMITS, memory: 60_000_000 };
  const cgroup = cgroupOf(plugins, 'web/many', limits);
  const runner = runnerPool(t);
  // At least 16 MB each, by doubling: some kinds of awk have small buffers for all else.
  const holder = `awk 'BEGIN { s = "x"; while (length(s) < 16000000) s = s s; system("sleep 30") }' & `;
  const many = await runner.run({
    folder: shellPlugin(t, `${holder}${holder}${holder}${holder} wait`),
    cgroup,
    limits,
    timeoutMs: 60_000,
  });
  assert.equal(many.status, 'signal', many.problem);
  assert.match(many.problem ?? '', /SIGKILL: it used more than 60000000 bytes of memory/);
  await waitUntil('all are gone', () => processesIn(cgroup.folder).length === 0);
  const next = await runner.run({ folder: shellPlugin(t, METRIC), cgroup, limits });
  assert.deepEqual([next.status, next.points], ['ok', 1]);
  const killed = await runner.run({ folder: shellPlugin(t, 'kill -9 $$'), cgroup, limits });
  assert.equal(killed.problem, 'plugin cpu was ended by SIGKILL');
});

test('an agent alone in its cgroup makes room, bounds its plugins, and leaves nothing', {
  skip,
}, async (t) => {
  const place = controlledCgroup(t);
  const repositories = new PluginRepositories(t);
  const hog = repositories.make('hog', `sleep 600 &\nexec awk 'BEGIN { s = "x"; while (1) s = s s }'`);
  const bomb = repositories.make('bomb', 'n=0; while [ $n -lt 60 ]; do sleep 30 & n=$((n+1)); done');
  const good = repositories.make('good', PRINT_UP);
  const items = [
    pluginItem('hog', hog, '0', { memory: '40000000' }),
    pluginItem('bomb', bomb, '0', { processes: '16' }),
    pluginItem('good', good, '0', { cpus: '0.5', memory: '32000000', processes: '9' }),
  ];
  const own = ownCgroup() ?? '';
  assert.ok(moveProcess(place, process.pid));
  const starting = AgentProcess.start(t, { registry: { [NAMESPACE]: items } });
  assert.ok(moveProcess(own, process.pid));
  const agent = await starting;
  await waitUntil('it knows its plugins', async () => {
    return (await agent.call('/plugins/list')).body.plugins.length === items.length;
  });
  assert.match(
    agent.stderr,
    new RegExp(`plugins run in cgroups below ${place}/agent-.*, with memory, pids, cpu`),
  );
  const [base = ''] = readdirSync(place).filter((name) => name.startsWith('agent-'));
  assert.deepEqual(processesIn(place), []);
  // Beside what it has started itself.
  assert.ok(processesIn(join(place, base, 'agent')).includes(agent.pid));
  const run = async (repo: string) => (await callPlugin(agent, 'run', repo, '&timeout=60')).body;
  assert.equal((await run(good)).status, 'ok');
  const of = (name: string, file: string) =>
    readFileSync(join(place, base, `plugin:${NAMESPACE}:${name}`, file), 'utf8').trim();
  assert.deepEqual([of('good', 'pids.max'), of('good', 'cpu.max')], ['9', '50000 100000']);
  const hogRun = await run(hog);
  assert.equal(hogRun.problem, 'plugin hog was ended by SIGKILL: it used more than 40000000 bytes of memory');
  const bombRun = await run(bomb);
  assert.match(bombRun.problem ?? '', /^plugin bomb exited with code 2/);
  assert.match(bombRun.stderr, /fork/i);
  assert.match(of('bomb', 'pids.events'), /^max [1-9]/);
  assert.equal((await run(good)).status, 'ok');
  assert.equal(await agent.kill('SIGTERM'), 0);
  assert.deepEqual(
    readdirSync(place, { withFileTypes: true }).filter((entry) => entry.isDirectory()),
    [],
  );
  assert.equal(readFileSync(join(place, 'cgroup.subtree_control'), 'utf8').trim(), '');
});

test('what a run left behind takes none of the processes of the next one', { skip }, async (t) => {
  const root = controlledCgroup(t);
  const leaver = new PluginRepositories(t).make('leaver', 'sleep 600 & sleep 600 & sleep 600 & echo "[]"');
  const agent = await AgentProcess.start(t, {
    registry: { [NAMESPACE]: [pluginItem('leaver', leaver, '6', { processes: '5' })] },
    runner: `cgroup = "${root}"`,
  });
  const runs = async () => (await agent.call('/me/status')).body.runs;
  await waitUntil('it has run some times, or failed', async () => {
    const { ok, failed } = await runs();
    return ok >= 3 || failed > 0;
  });
  assert.equal((await runs()).failed, 0, agent.stderr);
});

async function opened(t: TestContext): Promise<OpenCgroups> {
  const cgroups = await openCgroups(controlledCgroup(t), '/run/of-this-test', recordingLog().log);
  assert.ok(cgroups);
  t.after(() => cgroups.close());
  return cgroups;
}

function cgroupOf(plugins: OpenCgroups['plugins'], key: string, limits: PluginLimits): PluginCgroup {
  const cgroup = plugins.cgroupFor(key, limits);
  assert.ok(cgroup);
  return cgroup;
}

function usage({ folder }: PluginCgroup): number {
  const stat = readFileSync(join(folder, 'cpu.stat'), 'utf8');
  return Number(/^usage_usec (\d+)$/m.exec(stat)?.[1]) / 1e6;
}
