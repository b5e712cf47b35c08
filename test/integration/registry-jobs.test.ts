import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import cron from 'node-cron';
import {
  RegistryJobs,
  type RegistryJobsOptions,
  tenMinutely,
} from '../../src/supervisor/registry/registry-jobs.js';
import type { RegistryView } from '../../src/supervisor/registry/registry-view.js';
import { recordingLog } from '../support/recording-log.js';
import { startRegistryServer } from '../support/registry-server.js';
import { openRegistry, pluginItem } from '../support/registry-under-test.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

const NEVER = '0 0 0 29 2 *';

function startJobs(
  t: TestContext,
  options: Pick<RegistryJobsOptions<RegistryView>, 'sync'> & Partial<RegistryJobsOptions<RegistryView>>,
): { readonly jobs: RegistryJobs<RegistryView>; readonly lines: ReturnType<typeof recordingLog>['lines'] } {
  const { log, lines } = recordingLog();
  const jobs = new RegistryJobs({
    report: undefined,
    documentPath: undefined,
    hostname: 'web-1',
    log,
    syncExpression: NEVER,
    reportExpression: NEVER,
    reportSpreadMs: 0,
    backOffBaseMs: 1,
    backOffCapMs: 20,
    ...options,
  });
  t.after(() => jobs.close());
  return { jobs, lines };
}

describe('the jobs of the registry', () => {
  it('try again after a failed sync until one succeeds, then rest', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: '1', items: [pluginItem('redis')] });
    await server.stop();
    const { registry } = openRegistry(t, server.address);
    let succeeded = 0;
    let failed = 0;
    const sync = async () => {
      try {
        const view = await registry.sync();
        succeeded += 1;
        return view;
      } catch (error) {
        failed += 1;
        throw error;
      }
    };
    const { jobs, lines } = startJobs(t, { sync });
    await assert.rejects(jobs.syncNow(), /refuses connections/);
    await waitUntil('it was tried again', () => failed > 3);
    assert.match(lines[0]?.message ?? '', /going on with what is known: registry .* refuses connections/);
    await server.start();
    await waitUntil('a sync succeeds', () => succeeded > 0);
    const before = failed + succeeded;
    await jobs.syncNow();
    assert.equal(failed + succeeded, before + 1);
  });

  it('try again while one namespace cannot be asked for', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: '1', items: [pluginItem('redis')] });
    let left = 3;
    server.misbehave = ({ path }) => {
      if (path !== '/api/v1/agent/resource' || left === 0) return undefined;
      left -= 1;
      return { kind: 'cut' };
    };
    const { registry } = openRegistry(t, server.address);
    let plugins = 0;
    const sync = async () => {
      const view = await registry.sync();
      plugins = view.plugins.length;
      return view;
    };
    assert.deepEqual((await startJobs(t, { sync }).jobs.syncNow()).stale, ['cache.shop']);
    await waitUntil('the plugin is known', () => plugins === 1);
  });

  it('sync when the document changes, and keep what was known while it is broken', async (t) => {
    const path = join(temporaryFolder(t), 'registry.json');
    writeFileSync(path, JSON.stringify({ 'cache.shop': [] }));
    const { registry } = openRegistry(t, `file:${path}`);
    const seen: string[] = [];
    const sync = async () => {
      const view = await registry.sync();
      seen.push(view.plugins.map(({ project }) => project).join());
      return view;
    };
    const { jobs, lines } = startJobs(t, { sync, documentPath: path });
    await jobs.syncNow();
    writeFileSync(path, JSON.stringify({ 'cache.shop': [pluginItem('redis')] }));
    await waitUntil('redis is there', () => seen.at(-1) === 'redis');
    writeFileSync(path, '{');
    await waitUntil('the document is complained about', () =>
      lines.some(({ message }) => /is not JSON/.test(message)),
    );
    writeFileSync(path, JSON.stringify({ 'cache.shop': [pluginItem('disk')] }));
    await waitUntil('disk is there', () => seen.at(-1) === 'disk');
    assert.ok(!seen.slice(seen.indexOf('redis')).includes(''));
  });

  it('sync and report on the clock, and failures are said in the log, not on the console', async (t) => {
    const server = await startRegistryServer(t);
    server.resources.set('cache.shop', { id: '1', items: [] });
    server.misbehave = ({ path }) => (path === '/api/v1/agent/report' ? { kind: 'cut' } : undefined);
    const { registry } = openRegistry(t, server.address);
    await registry.sync();
    server.questions.length = 0;
    const onConsole = t.mock.method(console, 'error', () => undefined);
    const { lines } = startJobs(t, {
      sync: () => registry.sync(),
      report: () => registry.report(),
      reportExpression: '* * * * * *',
    });
    await waitUntil('a report failed', () =>
      lines.some(({ message }) => /report to the registry failed/.test(message)),
    );
    assert.equal(onConsole.mock.callCount(), 0);
  });

  it('leave nothing running when they are closed', async (t) => {
    let calls = 0;
    const { jobs } = startJobs(t, {
      sync: async () => {
        calls += 1;
        throw new Error('down');
      },
    });
    await assert.rejects(jobs.syncNow());
    await jobs.close();
    const before = calls;
    await assert.rejects(jobs.syncNow());
    assert.equal(calls, before + 1, 'a sync that was asked for happens, and is not repeated');
    assert.equal(
      [...cron.getTasks().values()].filter((task) => task.getPattern() === NEVER).length,
      0,
      'no job is left',
    );
  });
});

describe('the place of a host within ten minutes', () => {
  it('is its own and does not change', () => {
    assert.equal(tenMinutely('web-1'), tenMinutely('web-1'));
    const places = new Set(Array.from({ length: 200 }, (_, i) => tenMinutely(`web-${i}`)));
    assert.ok(places.size > 100);
  });

  it('comes every ten minutes', () => {
    for (let i = 0; i < 50; i += 1) {
      const task = cron.createTask(tenMinutely(`web-${i}`), () => undefined, { timezone: 'UTC' });
      const [one, two] = task.getNextRuns(2);
      assert.equal(Number(two) - Number(one), 600_000);
      void task.destroy();
    }
  });
});
