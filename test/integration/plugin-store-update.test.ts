import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { commitTo, git, headOf, makeRepository } from '../support/git-repository.js';
import { hangingServer } from '../support/git-server.js';
import { listing, openStore, pluginFrom, processesNaming, SCRIPT } from '../support/store.js';
import { waitUntil } from '../support/wait-until.js';

const run = promisify(execFile);

/** Folders of versions that a plugin has on disk. */
function versions(folder: string, project = 'check'): string[] {
  const versionsFolder = join(folder, 'shop', `.${project}`);
  return existsSync(versionsFolder) ? readdirSync(versionsFolder) : [];
}

describe('update of a plugin', () => {
  it('fetches the newest release, and says what was before and after', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    const repository = join(scratch, 'repository');
    const plugin = pluginFrom(makeRepository(repository, { plugin: SCRIPT }));
    const first = headOf(repository);
    assert.deepEqual(await store.update(plugin), { before: undefined, after: first, changed: true });
    assert.deepEqual(await store.update(plugin), { before: first, after: first, changed: false });
    const second = commitTo(repository, { plugin: `${SCRIPT}# 2` });
    assert.deepEqual(await store.update(plugin), { before: first, after: second, changed: true });
    assert.equal(readFileSync(join(folder, 'shop/check/plugin'), 'utf8'), `${SCRIPT}# 2`);
    await waitUntil('one version is left', () => versions(folder).length === 1);
  });

  it('takes a branch that was pushed by force, and a release branch that was made meanwhile', async (test) => {
    const { store, scratch } = await openStore(test);
    const repository = join(scratch, 'repository');
    const plugin = pluginFrom(makeRepository(repository, { plugin: SCRIPT }));
    const first = headOf(repository);
    await store.ensure(plugin);
    git(repository, 'checkout', '--quiet', '--orphan', 'other');
    const other = commitTo(repository, { plugin: `${SCRIPT}# other history` });
    git(repository, 'branch', '--force', 'main', other);
    git(repository, 'checkout', '--quiet', 'main');
    assert.deepEqual(await store.update(plugin), { before: first, after: other, changed: true });
    const release = commitTo(repository, { plugin: `${SCRIPT}# release`, branch: 'release' });
    assert.equal((await store.update(plugin)).after, release);
  });

  it('lets a run in progress finish on the old version, which goes when the last such run has ended', async (test) => {
    const { store, scratch } = await openStore(test);
    const repository = join(scratch, 'repository');
    const plugin = pluginFrom(
      makeRepository(repository, {
        plugin: '#!/bin/sh\nread line <go; cat answer\n',
        files: { answer: 'old' },
      }),
    );
    await store.ensure(plugin);
    const one = store.acquire(plugin);
    const other = store.acquire(plugin);
    const oldFolder = one?.folder ?? '';
    await run('mkfifo', [join(oldFolder, 'go')]);
    const running = run('./plugin', { cwd: oldFolder });
    commitTo(repository, { files: { answer: 'new' } });
    await store.update(plugin);

    const next = store.acquire(plugin);
    assert.equal(readFileSync(join(next?.folder ?? '', 'answer'), 'utf8'), 'new');
    await run('sh', ['-c', `echo go >${oldFolder}/go`]);
    assert.equal((await running).stdout, 'old');
    one?.release();
    one?.release();
    assert.ok(existsSync(oldFolder));
    other?.release();
    await waitUntil('the old version is gone', () => !existsSync(oldFolder));
    assert.ok(existsSync(next?.folder ?? ''));
    next?.release();
  });

  it('leaves the old version when the new one is broken or the server is away', async (test) => {
    const { store, folder, scratch, lines } = await openStore(test);
    const repository = join(scratch, 'repository');
    const plugin = pluginFrom(makeRepository(repository, { plugin: SCRIPT }));
    await store.ensure(plugin);
    const first = headOf(repository);
    git(repository, 'rm', '--quiet', 'plugin');
    commitTo(repository, { files: { 'README.md': 'moved' } });
    await assert.rejects(store.update(plugin), { code: 'plugin-missing' });
    rmSync(repository, { recursive: true });
    await assert.rejects(store.update(plugin), { code: 'git-failed' });
    assert.equal(store.versionOf(plugin), first);
    assert.equal(store.problemOf(plugin), undefined);
    assert.equal(store.acquire(plugin)?.version, first);
    assert.equal(versions(folder).length, 1);
    assert.match(lines.at(-1)?.message ?? '', /the version that is there stays$/);
  });

  it('has what was pushed before the call, also when calls come together', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    const repository = join(scratch, 'repository');
    const plugin = pluginFrom(makeRepository(repository, { plugin: SCRIPT }));
    const updates = [store.ensure(plugin)] as Promise<unknown>[];
    let last = '';
    for (let round = 0; round < 5; round += 1) {
      last = commitTo(repository, { plugin: `${SCRIPT}# ${round}` });
      const update = store.update(plugin);
      updates.push(update, store.update(plugin));
      if (round === 4) assert.equal((await update).after, last);
    }
    await Promise.all(updates);
    assert.equal(store.versionOf(plugin), last);
    await waitUntil('one version is left', () => versions(folder).length === 1);
  });

  it('never lets the link be away while it swaps', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    const repository = join(scratch, 'repository');
    const plugin = pluginFrom(makeRepository(repository, { plugin: SCRIPT }));
    await store.ensure(plugin);
    let updating = true;
    let looks = 0;
    const watch = (async () => {
      for (; updating; looks += 1) {
        assert.ok(existsSync(join(folder, 'shop/check/plugin')));
        const held = store.acquire(plugin);
        assert.ok(held !== undefined && existsSync(join(held.folder, 'plugin')));
        held.release();
        await new Promise(setImmediate);
      }
    })();
    for (let round = 0; round < 3; round += 1) await store.update(plugin);
    updating = false;
    await watch;
    assert.ok(looks > 3);
  });
});

describe('change and removal of a plugin', () => {
  it('replaces the version when the address changes, and does not run the old one meanwhile', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    const old = pluginFrom(makeRepository(join(scratch, 'old'), { plugin: SCRIPT }));
    const changed = pluginFrom(makeRepository(join(scratch, 'new'), { plugin: `${SCRIPT}# new` }));
    await store.ensure(old);
    const held = store.acquire(old);
    assert.equal(store.acquire(changed), undefined);
    assert.equal(store.versionOf(changed), undefined);
    assert.equal(await store.ensure(changed), undefined);
    assert.match(store.versionOf(changed) ?? '', /^[0-9a-f]{40}$/);
    const next = store.acquire(changed);
    assert.equal(readFileSync(join(next?.folder ?? '', 'plugin'), 'utf8'), `${SCRIPT}# new`);
    assert.ok(existsSync(held?.folder ?? ''));
    held?.release();
    await waitUntil('one version is left', () => versions(folder).length === 1);
  });

  it('gives up the clone from an address that changed meanwhile', async (test) => {
    const { store, scratch } = await openStore(test);
    const server = await hangingServer(test);
    const hanging = store.ensure(pluginFrom(`${server.address}/x`));
    await waitUntil('git asks the server', () => server.connections.size === 1);
    const fine = pluginFrom(makeRepository(join(scratch, 'fine'), { plugin: SCRIPT }));
    assert.equal(await store.ensure(fine), undefined);
    assert.equal((await hanging)?.code, 'plugin-replaced');
    assert.equal(store.problemOf(fine), undefined);
    await waitUntil('git is gone', () => server.connections.size === 0);
  });

  it('removes link, versions and empty folders, but a version that a run holds with that run', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    const address = makeRepository(join(scratch, 'repository'), { plugin: SCRIPT });
    const one = pluginFrom(address, 'one');
    const other = pluginFrom(address, 'other');
    await Promise.all([store.ensure(one), store.ensure(other)]);
    const held = store.acquire(one);
    await store.remove(one);
    assert.equal(store.acquire(one), undefined);
    assert.equal(existsSync(join(folder, 'shop/one')), false);
    assert.ok(existsSync(join(held?.folder ?? '', 'plugin')));
    held?.release();
    await waitUntil('its versions are gone', () => !existsSync(join(folder, 'shop/.one')));
    await store.remove(other);
    await waitUntil('everything is gone', () => listing(folder).length === 0);
    await store.remove(other);
  });

  it('removes all that the registry does not want, those of an earlier life too', async (test) => {
    const first = await openStore(test);
    const address = makeRepository(join(first.scratch, 'repository'), { plugin: SCRIPT });
    for (const project of ['a', 'b', 'c']) await first.store.ensure(pluginFrom(address, project));
    await first.store.close();
    const { store, folder } = await openStore(test, { folder: first.folder });
    await store.retain([pluginFrom(address, 'b')]);
    await waitUntil('the others are gone', () => readdirSync(join(folder, 'shop')).length === 2);
    assert.ok(store.acquire(pluginFrom(address, 'b')) !== undefined);
  });

  it('ends the clone of a plugin that is removed, and one that waits never begins', async (test) => {
    const { store, folder } = await openStore(test, { concurrency: 1 });
    const server = await hangingServer(test);
    const running = pluginFrom(`${server.address}/running`, 'running');
    const waiting = pluginFrom(`${server.address}/waiting`, 'waiting');
    const outcomes = [store.ensure(running)];
    await waitUntil('git asks the server', () => server.connections.size === 1);
    outcomes.push(store.ensure(waiting));
    await store.remove(waiting);
    await store.remove(running);
    for (const outcome of outcomes) assert.equal((await outcome)?.code, 'plugin-removed');
    assert.deepEqual(listing(folder), []);
    assert.deepEqual(processesNaming(server.address), []);
  });

  it('brings a plugin back that is wanted again while its last run still goes on', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    const plugin = pluginFrom(makeRepository(join(scratch, 'repository'), { plugin: SCRIPT }));
    for (let round = 0; round < 3; round += 1) {
      assert.equal(await store.ensure(plugin), undefined);
      const held = store.acquire(plugin);
      const removal = store.remove(plugin);
      const again = store.ensure(plugin);
      await removal;
      held?.release();
      assert.equal(await again, undefined);
      const back = store.acquire(plugin);
      assert.ok(back !== undefined);
      back.release();
    }
    await waitUntil('one version is left', () => versions(folder).length === 1);
  });

  for (const [who, what] of [
    [
      'the plugin removes its own folder',
      (_link: string, version: string) => rmSync(version, { recursive: true }),
    ],
    ['the operator removes the link', (link: string) => rmSync(link)],
    ['somebody removes the file plugin', (_link: string, version: string) => rmSync(join(version, 'plugin'))],
  ] as const) {
    it(`fetches the plugin again when ${who}`, async (test) => {
      const { store, folder, scratch, lines } = await openStore(test);
      const plugin = pluginFrom(makeRepository(join(scratch, 'repository'), { plugin: SCRIPT }));
      await store.ensure(plugin);
      const held = store.acquire(plugin);
      what(join(folder, 'shop/check'), held?.folder ?? '');
      held?.release();
      store.lookAgain(plugin);
      assert.equal(store.acquire(plugin), undefined);
      assert.match(
        lines.at(-1)?.message ?? '',
        /^plugin shop\/check is gone from .*shop\/check, it is fetched again$/,
      );
      await waitUntil('it is there again', () => store.versionOf(plugin));
      store.acquire(plugin)?.release();
      await waitUntil('one version is left', () => versions(folder).length === 1);
    });
  }

  it('asks the server less and less for a plugin that removes itself in every run', async (test) => {
    const { store, scratch, lines } = await openStore(test, {
      retryBaseMs: 3_600_000,
      retryCapMs: 3_600_000,
    });
    const plugin = pluginFrom(makeRepository(join(scratch, 'repository'), { plugin: SCRIPT }));
    await store.ensure(plugin);
    for (let round = 0; round < 2; round += 1) {
      await waitUntil('it is there', () => store.versionOf(plugin));
      const held = store.acquire(plugin);
      rmSync(held?.folder ?? '', { recursive: true });
      held?.release();
      store.lookAgain(plugin);
      assert.equal(store.acquire(plugin), undefined);
    }
    assert.equal((await store.ensure(plugin))?.code, 'plugin-vanished');
    assert.match(lines.at(-1)?.message ?? '', /see who deletes it \(next try in \d+ s\)/);
  });
});
