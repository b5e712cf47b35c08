import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { killProcesses, moveProcess, processesIn } from '../../src/shared/cgroup-processes.js';
import { PluginCgroups, removeCgroup } from '../../src/supervisor/cgroups/plugin-cgroups.js';
import { NO_CGROUPS, testCgroup } from '../support/cgroup.js';
import { recordingLog } from '../support/recording-log.js';
import { NO_LIMITS } from '../support/runner-pool.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const ALL = ['memory', 'pids', 'cpu'] as const;

/*
 * The controllers of cgroup v2 cannot be had on machines whose v1 has them: what is written to their files is looked at
 * in an ordinary folder that stands in for a cgroup.
 */
test('limits are written for the controllers, again only when they change (a folder stands in)', (t) => {
  const base = temporaryFolder(t);
  const cgroups = new PluginCgroups(base, ALL, recordingLog().log);
  const limits = { ...NO_LIMITS, memory: 50_000_000, processes: 40, cpus: 0.5 };
  const folder = join(base, 'plugin:web.shop:disk');
  mkdirSync(folder);
  writeFileSync(join(folder, 'memory.swap.max'), 'max');
  assert.deepEqual(cgroups.cgroupFor('web.shop/disk', limits), { folder, controllers: ALL });
  const content = (name: string) => readFileSync(join(folder, name), 'utf8');
  assert.equal(content('memory.max'), '50000000');
  assert.equal(content('memory.swap.max').trimEnd().slice(0, 1), '0');
  assert.equal(content('pids.max'), '40');
  assert.equal(content('cpu.max'), '50000 100000');
  assert.equal(existsSync(join(folder, 'memory.oom.group')), false, 'a kernel that has it not');
  rmSync(join(folder, 'pids.max'));
  cgroups.cgroupFor('web.shop/disk', { ...limits });
  assert.equal(existsSync(join(folder, 'pids.max')), false, 'nothing has changed');
  cgroups.cgroupFor('web.shop/disk', NO_LIMITS);
  assert.deepEqual(
    [content('memory.max'), content('pids.max'), content('cpu.max')],
    ['max', 'max', 'max 100000'],
  );
});

test('without a controller nothing is written of it (a folder stands in)', (t) => {
  const base = temporaryFolder(t);
  const cgroups = new PluginCgroups(base, ['pids'], recordingLog().log);
  cgroups.cgroupFor('ns/a', { ...NO_LIMITS, memory: 1_048_576, processes: 5, cpus: 1 });
  assert.deepEqual(readdirSync(join(base, 'plugin:ns:a')), ['pids.max']);
});

test('one that cannot be made is said once, and the plugin runs without', (t) => {
  const base = join(temporaryFolder(t), 'file');
  writeFileSync(base, '');
  const { log, lines } = recordingLog();
  const cgroups = new PluginCgroups(base, [], log);
  for (let n = 0; n < 3; n += 1) assert.equal(cgroups.cgroupFor('ns/a', NO_LIMITS), undefined);
  assert.equal(lines.length, 1);
  assert.match(lines[0]?.message ?? '', /plugin ns\/a runs without a cgroup: /);
});

test('a plugin that is removed takes its processes and its cgroup along', {
  skip: NO_CGROUPS ?? false,
}, async (t) => {
  const base = testCgroup(t);
  const cgroups = new PluginCgroups(base, [], recordingLog().log);
  const cgroup = cgroups.cgroupFor('ns/a', NO_LIMITS);
  assert.ok(cgroup);
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  assert.equal(moveProcess(cgroup.folder, child.pid ?? 0), true);
  assert.deepEqual(processesIn(cgroup.folder), [child.pid]);
  cgroups.remove('ns/a');
  await ended;
  await cgroups.close();
  assert.equal(existsSync(cgroup.folder), false);
});

test('a cgroup that is needed again while those in it are removed stays', {
  skip: NO_CGROUPS ?? false,
}, async (t) => {
  const folder = join(testCgroup(t), 'plugin');
  const inner = join(folder, 'inner');
  for (const path of [folder, inner]) mkdirSync(path);
  await removeCgroup(folder, () => !existsSync(inner));
  assert.deepEqual([existsSync(folder), existsSync(inner)], [true, false]);
});

test('where the kernel cannot end a cgroup in one step it is frozen and ended', async (t) => {
  // A folder stands in, with a real process's number in it and no cgroup.kill.
  const folder = temporaryFolder(t);
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  writeFileSync(join(folder, 'cgroup.procs'), `${child.pid}\n`);
  writeFileSync(join(folder, 'cgroup.freeze'), '0');
  chmodSync(folder, 0o755);
  killProcesses(folder);
  const [, signal] = await ended;
  assert.equal(signal, 'SIGKILL');
  assert.equal(readFileSync(join(folder, 'cgroup.freeze'), 'utf8'), '0', 'and let go again');
});

test('what is gone is no error', (t) => {
  const folder = join(temporaryFolder(t), 'gone');
  assert.deepEqual(processesIn(folder), []);
  assert.equal(moveProcess(folder, process.pid), false);
  killProcesses(folder);
});
