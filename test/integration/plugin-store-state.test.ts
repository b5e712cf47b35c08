import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { removeAllPlugins } from '../../src/supervisor/plugin-store/plugins-removal.js';
import { commitTo, makeRepository } from '../support/git-repository.js';
import { openStore, pluginFrom, SCRIPT } from '../support/store.js';
import { waitUntil } from '../support/wait-until.js';

test('a state folder outlives updates and restarts of the agent', async (t) => {
  const { store, folder, repository, plugin, note } = await storeWithState(t);
  commitTo(repository, { plugin: `${SCRIPT}# 2` });
  assert.equal((await store.update(plugin)).changed, true);
  assert.ok(existsSync(note));
  await store.close();
  const again = await openStore(t, { folder });
  await again.store.retain([plugin]);
  assert.ok(existsSync(note));
  assert.equal(again.store.acquire(plugin)?.stateFolder, join(folder, 'shop/.check/state'));
});

test('it goes with the plugin, when the last run has ended, and what it links to stays', async (t) => {
  const { store, folder, scratch, plugin, state } = await storeWithState(t);
  writeFileSync(join(scratch, 'outside'), 'kept');
  symlinkSync(join(scratch, 'outside'), join(state, 'link'));
  symlinkSync(scratch, join(state, 'folder'));
  const held = store.acquire(plugin);
  await store.retain([]);
  assert.equal(existsSync(state), false, 'out of the way at once');
  held?.release();
  await waitUntil('all is gone', () => readdirSync(folder).length === 0);
  assert.ok(existsSync(join(scratch, 'outside')));
});

test('it goes with the plugin that has closed it to everybody, itself too', async (t) => {
  const { store, folder, plugin, state } = await storeWithState(t);
  chmodSync(state, 0);
  await store.retain([]);
  await waitUntil('all is gone', () => readdirSync(folder).length === 0);
  assert.equal(await store.ensure(plugin), undefined);
  assert.equal(existsSync(state), false, 'a plugin of the same name begins with nothing');
});

test('one that a run on its way makes when the plugin is gone goes with the run', async (t) => {
  const { store, folder, plugin, state } = await storeWithState(t);
  const held = store.acquire(plugin);
  await store.retain([]);
  mkdirSync(state);
  writeFileSync(join(state, 'late'), '');
  held?.release();
  await waitUntil('all is gone', () => readdirSync(folder).length === 0);
});

test('a plugin of the same name that comes meanwhile has a new one', async (t) => {
  const { store, folder, plugin, state } = await storeWithState(t);
  const held = store.acquire(plugin);
  await store.retain([]);
  assert.equal(await store.ensure(plugin), undefined);
  mkdirSync(state);
  writeFileSync(join(state, 'new'), '');
  held?.release();
  await waitUntil('the old one is gone', () => readdirSync(folder).every((name) => name === 'shop'));
  assert.ok(existsSync(join(state, 'new')));
});

test('state folders that an earlier life left go at the start, or when nobody wants their plugins', async (t) => {
  const { store, folder, plugin, state } = await storeWithState(t);
  await store.close();
  mkdirSync(join(folder, '.leaving-0123/with/files'), { recursive: true });
  // Its version is gone, as after a start without the git server.
  renameSync(join(folder, 'shop/check'), join(folder, 'lost'));
  const again = await openStore(t, { folder });
  await waitUntil('what was leaving is gone', () => !existsSync(join(folder, '.leaving-0123')));
  assert.ok(existsSync(state));
  await again.store.retain([plugin]);
  assert.ok(existsSync(state), 'the registry wants its plugin');
  await again.store.retain([]);
  await waitUntil('it is gone', () => !existsSync(join(folder, 'shop')));
});

test('a clean-up removes them all', async (t) => {
  const { store, folder, state } = await storeWithState(t);
  symlinkSync('/etc', join(state, 'etc'));
  mkdirSync(join(folder, '.leaving-0123/with/files'), { recursive: true });
  await store.close();
  assert.equal(await removeAllPlugins(folder), 1);
  assert.deepEqual(readdirSync(folder), []);
  assert.ok(existsSync('/etc/passwd'));
});

/** A store with a plugin that has kept something in its state folder. */
async function storeWithState(t: TestContext) {
  const opened = await openStore(t);
  const repository = join(opened.scratch, 'repository');
  const plugin = pluginFrom(makeRepository(repository, { plugin: SCRIPT }));
  await opened.store.ensure(plugin);
  const held = opened.store.acquire(plugin);
  assert.ok(held);
  const { stateFolder: state } = held;
  held.release();
  mkdirSync(state, { mode: 0o700 });
  const note = join(state, 'note');
  writeFileSync(note, '');
  return { ...opened, repository, plugin, state, note };
}
