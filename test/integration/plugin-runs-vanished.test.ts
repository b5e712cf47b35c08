import assert from 'node:assert/strict';
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { managedPlugin } from '../../src/supervisor/plugins/managed-plugin.js';
import { makeRepository } from '../support/git-repository.js';
import { pluginRuns } from '../support/plugin-runs.js';
import { openStore, pluginFrom, SCRIPT } from '../support/store.js';
import { waitUntil } from '../support/wait-until.js';

// The threads of the pool, and what they say, keep no process alive.
const alive = setInterval(() => {}, 60_000);
after(() => clearInterval(alive));

test('a plugin whose files go between scheduled runs is noticed by the run that finds none, and fetched again', async (t) => {
  const { store, folder, scratch, lines } = await openStore(t, { retryBaseMs: 1, retryCapMs: 100 });
  const repository = join(scratch, 'repository');
  const definition = pluginFrom(makeRepository(repository, { plugin: SCRIPT }));
  const plugin = managedPlugin('shop/check', definition);
  assert.equal(await store.ensure(definition), undefined);
  const { runs } = pluginRuns(t, store);
  const runNow = async () => {
    const before = plugin.runs;
    runs.runDue(plugin, Date.now());
    await waitUntil('it ran, or could not be run', () => !runs.isRunning(plugin));
    return plugin.runs === before ? 'not run' : plugin.lastRun?.status;
  };

  assert.equal(await runNow(), 'ok');
  rmSync(join(folder, 'shop'), { recursive: true });
  // It is not there again before the test has looked.
  renameSync(repository, `${repository}-away`);
  assert.equal(await runNow(), 'spawn');
  assert.equal(await runNow(), 'not run');
  renameSync(`${repository}-away`, repository);
  assert.match(lines.map(({ message }) => message).join('\n'), /^plugin shop\/check is gone from /m);
  await waitUntil('it is there again', () => store.versionOf(definition));
  assert.equal(await runNow(), 'ok');

  rmSync(join(folder, 'shop'), { recursive: true });
  await assert.rejects(runs.runCalled(plugin, 60_000, undefined), { code: 'plugin-store' });
});
