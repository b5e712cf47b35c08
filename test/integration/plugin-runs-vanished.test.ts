import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { createChildTable } from '../../src/shared/child-table.js';
import { createDescriptorLedger } from '../../src/shared/native/descriptor-ledger.js';
import { createNoticeTimes } from '../../src/shared/notice-times.js';
import { LaneWriter } from '../../src/shared/ring/lane-writer.js';
import { createRing } from '../../src/shared/ring/layout.js';
import { managedPlugin } from '../../src/supervisor/plugins/managed-plugin.js';
import { PluginRuns } from '../../src/supervisor/plugins/plugin-runs.js';
import { RunnerPool } from '../../src/supervisor/plugins/runner-pool.js';
import { makeRepository } from '../support/git-repository.js';
import { recordingLog } from '../support/recording-log.js';
import { RUN_SETTINGS } from '../support/run-settings.js';
import { PLUGIN_USER } from '../support/runner-pool.js';
import { openStore, pluginFrom, SCRIPT } from '../support/store.js';
import { waitUntil } from '../support/wait-until.js';

const LANES = 2;

// The threads of the pool, and what they say, keep no process alive.
const alive = setInterval(() => {}, 60_000);
after(() => clearInterval(alive));

test('a plugin whose files go between scheduled runs is noticed by the run that finds none, and fetched again', async (t) => {
  const { store, folder, scratch, lines } = await openStore(t);
  const definition = pluginFrom(makeRepository(join(scratch, 'repository'), { plugin: SCRIPT }));
  const plugin = managedPlugin('shop/check', definition);
  assert.equal(await store.ensure(definition), undefined);
  const { log } = recordingLog();
  const ring = createRing(LANES, 1024 * 1024);
  const setup = {
    ring,
    childTable: createChildTable(LANES),
    descriptorLedger: createDescriptorLedger(LANES),
    noticeTimes: createNoticeTimes(),
    engine: 'auto',
    allowSetuid: false,
    firstLane: 1,
    host: 'testhost',
    databasePrefix: '',
    maxDocumentBytes: 300_000,
    logLevel: 'debug',
  } as const;
  const pool = new RunnerPool({
    setup,
    maxThreads: 1,
    maxInputBytes: 1_000_000,
    log,
    acceptLine: () => undefined,
  });
  t.after(() => pool.close());
  const runAs = () => ({ user: PLUGIN_USER });
  const lane = new LaneWriter(ring, 0);
  const runs = new PluginRuns({ settings: RUN_SETTINGS, pool, store, lane, runAs, cgroups: undefined, log });
  const runNow = async () => {
    const before = plugin.runs;
    runs.runDue(plugin, Date.now());
    await waitUntil('it ran, or could not be run', () => !runs.isRunning(plugin));
    return plugin.runs === before ? 'not run' : plugin.lastRun?.status;
  };

  assert.equal(await runNow(), 'ok');
  rmSync(join(folder, 'shop'), { recursive: true });
  assert.equal(await runNow(), 'spawn');
  assert.equal(await runNow(), 'not run');
  assert.match(lines.map(({ message }) => message).join('\n'), /^plugin shop\/check is gone from /m);
  await waitUntil('it is there again', () => store.versionOf(definition));
  assert.equal(await runNow(), 'ok');

  rmSync(join(folder, 'shop'), { recursive: true });
  await assert.rejects(runs.runCalled(plugin, 60_000, undefined), { code: 'plugin-store' });
});
