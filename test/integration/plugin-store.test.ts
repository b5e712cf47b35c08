import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CodedError, codeOf } from '../../src/shared/coded-error.js';
import { PluginStore } from '../../src/supervisor/plugin-store/plugin-store.js';
import { commitTo, git, headOf, makeEmptyRepository, makeRepository } from '../support/git-repository.js';
import { hangingServer } from '../support/git-server.js';
import { recordingLog } from '../support/recording-log.js';
import { listing, openStore, pluginFrom, SCRIPT } from '../support/store.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitUntil } from '../support/wait-until.js';

describe('plugin store', () => {
  it('clones a plugin once, and a run gets its folder and commit', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    const repository = join(scratch, 'repository');
    const plugin = pluginFrom(makeRepository(repository, { plugin: SCRIPT, files: { 'lib/part.sh': 'x' } }));
    assert.equal(store.acquire(plugin), undefined);
    assert.equal(await store.ensure(plugin), undefined);
    const commit = headOf(repository);
    assert.equal(store.versionOf(plugin), commit);

    const held = store.acquire(plugin);
    assert.equal(held?.version, commit);
    assert.equal(readFileSync(join(held?.folder ?? '', 'plugin'), 'utf8'), SCRIPT);
    assert.equal(readFileSync(join(folder, 'shop/check/lib/part.sh'), 'utf8'), 'x');
    assert.ok(existsSync(join(folder, 'shop/check/.git')));
    assert.equal(readlinkSync(join(folder, 'shop/check')), `.check/${held?.folder.split('/').at(-1)}`);

    commitTo(repository, { plugin: `${SCRIPT}# newer` });
    assert.equal(await store.ensure(plugin), undefined);
    assert.equal(store.versionOf(plugin), commit);
    held?.release();
  });

  it('takes the branch release where there is one, else the default branch, and no tag', async (test) => {
    const { store, scratch } = await openStore(test);
    const released = join(scratch, 'released');
    makeRepository(released, { plugin: SCRIPT });
    const release = commitTo(released, { plugin: `${SCRIPT}# release`, branch: 'release' });
    commitTo(released, { plugin: `${SCRIPT}# unfinished` });
    const tagged = join(scratch, 'tagged');
    const taggedAddress = makeRepository(tagged, { plugin: SCRIPT, branch: 'trunk' });
    git(tagged, 'tag', 'release');
    const trunk = commitTo(tagged, { plugin: `${SCRIPT}# trunk` });

    const one = pluginFrom(`file://${released}`, 'one');
    const other = pluginFrom(taggedAddress, 'other');
    assert.equal(await store.ensure(one), undefined);
    assert.equal(await store.ensure(other), undefined);
    assert.equal(store.versionOf(one), release);
    assert.equal(store.versionOf(other), trunk);
  });

  it('shares one clone between calls for the same plugin', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    const plugin = pluginFrom(makeRepository(join(scratch, 'repository'), { plugin: SCRIPT }));
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => store.ensure(plugin)));
    assert.deepEqual(new Set(outcomes), new Set([undefined]));
    assert.equal(listing(folder).filter((path) => /^shop\/\.check\/[^/]+$/.test(path)).length, 1);
  });

  it('fetches 50 plugins at once', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    makeRepository(join(scratch, 'first'), { plugin: SCRIPT });
    const plugins = Array.from({ length: 50 }, (_, index) => {
      cpSync(join(scratch, 'first'), join(scratch, `repository-${index}`), { recursive: true });
      return pluginFrom(`file://${scratch}/repository-${index}`, `check-${index}`);
    });
    const outcomes = await Promise.all(plugins.map((plugin) => store.ensure(plugin)));
    assert.deepEqual(new Set(outcomes), new Set([undefined]));
    for (const plugin of plugins) assert.ok(existsSync(join(folder, 'shop', plugin.project, 'plugin')));
    assert.deepEqual(
      listing(folder).filter((path) => path.startsWith('.incoming')),
      [],
    );
  });

  it('runs no more clones at once than it may, and lets others pass those that failed', async (test) => {
    let watch: NodeJS.Timeout | undefined;
    test.after(() => clearInterval(watch));
    const { store, folder, scratch, lines } = await openStore(test, {
      concurrency: 2,
      gitTimeoutMs: 1000,
      retryBaseMs: 1,
      retryCapMs: 1,
    });
    const server = await hangingServer(test);
    let most = 0;
    watch = setInterval(() => {
      most = Math.max(most, readdirSync(folder).filter((name) => name.startsWith('.incoming-')).length);
    }, 5);
    const hanging = Array.from({ length: 5 }, (_, index) =>
      pluginFrom(`${server.address}/x`, `hanging-${index}`),
    );
    await Promise.all(hanging.map((plugin) => store.ensure(plugin)));
    const fine = pluginFrom(makeRepository(join(scratch, 'fine'), { plugin: SCRIPT }), 'fine');
    await store.ensure(fine);
    // At the first try or, where git is slow on a busy machine, at a later one.
    await waitUntil('the good one is there', () => store.versionOf(fine) !== undefined);
    await waitUntil('a hanging one was tried again', () => lines.some((line) => line.fields.attempt === 2));
    assert.equal(most, 2);
  });

  for (const [what, content, code] of [
    ['has no file plugin', { files: { 'README.md': 'x' } }, 'plugin-missing'],
    [
      'has a file plugin without the executable bit',
      { plugin: SCRIPT, executables: [] },
      'plugin-not-executable',
    ],
    ['has an empty file plugin', { plugin: '' }, 'plugin-not-executable'],
    ['has a folder plugin', { files: { 'plugin/run.sh': 'x' } }, 'plugin-not-a-file'],
    ['has a link plugin that leads out', { links: { plugin: '/bin/sh' } }, 'plugin-not-a-file'],
    [
      'has a link plugin that leads up and out',
      { links: { plugin: '../../../../../../bin/sh' } },
      'plugin-not-a-file',
    ],
    ['has a link plugin that leads nowhere', { links: { plugin: 'gone' } }, 'plugin-not-a-file'],
    ['has a link plugin that leads to itself', { links: { plugin: 'plugin' } }, 'plugin-not-a-file'],
    ['has a link plugin that leads into .git', { links: { plugin: '.git/HEAD' } }, 'plugin-not-a-file'],
  ] as const) {
    it(`refuses a repository that ${what}, and leaves nothing behind`, async (test) => {
      const { store, folder, scratch, lines } = await openStore(test);
      const plugin = pluginFrom(makeRepository(join(scratch, 'repository'), content));
      const error = await store.ensure(plugin);
      assert.equal(error?.code, code);
      assert.match(
        error?.message ?? '',
        /^plugin shop\/check could not be fetched from file:\/\/.*repository: .+/,
      );
      assert.equal(store.acquire(plugin), undefined);
      assert.equal(store.problemOf(plugin), error?.message);
      assert.deepEqual(listing(folder), []);
      assert.equal(lines.filter((line) => line.level === 'warn').length, 1);
    });
  }

  it('takes a link plugin that stays in the repository', async (test) => {
    const { store, scratch } = await openStore(test);
    const content = {
      files: { 'bin/run.sh': SCRIPT },
      executables: ['bin/run.sh'],
      links: { plugin: 'bin/run.sh' },
    };
    assert.equal(
      await store.ensure(pluginFrom(makeRepository(join(scratch, 'repository'), content))),
      undefined,
    );
  });

  it('says so when a repository is empty or its default branch is missing', async (test) => {
    const { store, scratch } = await openStore(test);
    const empty = await store.ensure(pluginFrom(makeEmptyRepository(join(scratch, 'empty')), 'empty'));
    assert.equal(empty?.code, 'repository-empty');
    const address = makeRepository(join(scratch, 'headless'), { plugin: SCRIPT });
    git(join(scratch, 'headless'), 'symbolic-ref', 'HEAD', 'refs/heads/gone');
    const headless = await store.ensure(pluginFrom(address, 'headless'));
    assert.equal(headless?.code, 'repository-empty');
    assert.match(headless?.message ?? '', /push one/);
  });

  it('tries a repository that fails again until it is there', async (test) => {
    const { store, scratch, lines } = await openStore(test, { retryBaseMs: 20, retryCapMs: 50 });
    const repository = join(scratch, 'later');
    const plugin = pluginFrom(`file://${repository}`);
    const error = await store.ensure(plugin);
    assert.equal(error?.code, 'git-failed');
    assert.match(
      error?.message ?? '',
      /exit code 128 \(fatal: .*later' does not appear to be a git repository/,
    );
    await waitUntil(
      'it was tried three times',
      () => lines.filter((line) => line.level === 'warn').length >= 3,
    );
    assert.ok(store.problemOf(plugin) !== undefined);
    makeRepository(repository, { plugin: SCRIPT });
    await waitUntil('the plugin is there', () => store.versionOf(plugin));
    assert.equal(store.problemOf(plugin), undefined);
    assert.match(lines.find((line) => line.level === 'warn')?.message ?? '', /\(next try in \d+ s\)$/);
  });

  it('waits for the next try when it is asked meanwhile, instead of asking the server each time', async (test) => {
    const { store, scratch, lines } = await openStore(test, {
      retryBaseMs: 3_600_000,
      retryCapMs: 3_600_000,
    });
    const plugin = pluginFrom(`file://${scratch}/nowhere`);
    const first = await store.ensure(plugin);
    for (let call = 0; call < 10; call += 1) assert.equal(await store.ensure(plugin), first);
    for (let call = 0; call < 10; call += 1) assert.equal(store.acquire(plugin), undefined);
    assert.equal(lines.length, 1);
  });

  it('refuses keys that lead out of the folder', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    const address = makeRepository(join(scratch, 'repository'), { plugin: SCRIPT });
    for (const project of ['..', '.', '', '.hidden', '../../etc', 'a/b', 'a\0b', '-x', 'x'.repeat(300)]) {
      const error = await store.ensure(pluginFrom(address, project));
      assert.equal(error?.code, 'plugin-name', JSON.stringify(project));
    }
    for (const namespace of ['..', '../up', '', 'Shop', '.incoming-1', 'a/b']) {
      const error = await store.ensure({ ...pluginFrom(address), namespace });
      assert.equal(error?.code, 'plugin-name', JSON.stringify(namespace));
    }
    await assert.rejects(store.update(pluginFrom(address, '../x')), { code: 'plugin-name' });
    assert.deepEqual(listing(folder), []);
  });

  it('leaves alone what it did not make in the place of a plugin', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    const address = makeRepository(join(scratch, 'repository'), { plugin: SCRIPT });
    mkdirSync(join(folder, 'shop/by-hand'), { recursive: true });
    writeFileSync(join(folder, 'shop/by-hand/notes'), 'mine');
    symlinkSync(scratch, join(folder, 'shop/linked'));
    for (const project of ['by-hand', 'linked']) {
      const error = await store.ensure(pluginFrom(address, project));
      assert.equal(error?.code, 'place-taken');
      assert.match(error?.message ?? '', /move it away/);
      await store.remove(pluginFrom(address, project));
    }
    assert.equal(readFileSync(join(folder, 'shop/by-hand/notes'), 'utf8'), 'mine');
    assert.equal(readlinkSync(join(folder, 'shop/linked')), scratch);
  });

  it('gives every user the right to read and nobody else to write, whatever the umask is', async (test) => {
    const scratch = temporaryFolder(test);
    const address = makeRepository(join(scratch, 'repository'), {
      plugin: SCRIPT,
      files: { 'lib/a': 'x' },
      links: { out: '/' },
    });
    const usual = process.umask();
    test.after(() => process.umask(usual));
    for (const umask of [0o077, 0o000]) {
      process.umask(umask);
      const folder = join(scratch, `umask-${umask}`, 'plugins');
      const { store } = await openStore(test, { folder });
      assert.equal(await store.ensure(pluginFrom(address)), undefined);
      process.umask(usual);
      const paths = [
        '..',
        '.',
        ...listing(folder),
        'shop/check/.git',
        'shop/check/.git/config',
        'shop/check/.git/agent-version.json',
      ];
      for (const path of paths) {
        const status = lstatSync(join(folder, path));
        if (status.isSymbolicLink()) continue;
        const executable = status.isDirectory() || path.endsWith('/plugin');
        assert.equal(status.mode & 0o777, executable ? 0o755 : 0o644, path);
      }
    }
  });
});

describe('folder of the plugin store', () => {
  it('is refused when other users can write to it, sticky or not', async (test) => {
    const scratch = temporaryFolder(test);
    for (const mode of [0o777, 0o1777, 0o775]) {
      const folder = join(scratch, `mode-${mode}`);
      mkdirSync(folder);
      chmodSync(folder, mode);
      await assert.rejects(openStore(test, { folder }), {
        code: 'plugins-folder',
        message: /run chmod go-w/,
      });
    }
  });

  it('is refused when it cannot be made or is no folder', async (test) => {
    const scratch = temporaryFolder(test);
    writeFileSync(join(scratch, 'file'), '');
    for (const folder of [join(scratch, 'file'), join(scratch, 'file/plugins')]) {
      await assert.rejects(openStore(test, { folder }), { code: 'plugins-folder', message: /pluginsdir/ });
    }
  });

  it('is refused when it belongs to another user', {
    skip: process.geteuid?.() !== 0 && 'needs root to give a folder away',
  }, async (test) => {
    const folder = join(temporaryFolder(test), 'plugins');
    mkdirSync(folder);
    chownSync(folder, 65534, 65534);
    await assert.rejects(openStore(test, { folder }), {
      code: 'plugins-folder',
      message: /belongs to user 65534/,
    });
  });

  it('is warned about when the user of the plugins cannot enter it', async (test) => {
    const scratch = temporaryFolder(test);
    const closed = join(scratch, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const reader = { name: 'nobody', uid: 65533, gid: 65533 };
    const { lines } = await openStore(test, { folder: join(closed, 'plugins'), reader });
    assert.equal(lines.length, 1);
    assert.match(
      lines[0]?.message ?? '',
      /nobody, who cannot enter .*closed, so none can run; run chmod o\+x/,
    );
    assert.deepEqual((await openStore(test, { reader })).lines, []);
  });

  it('keeps its plugins over a restart, and loses the leftovers of an earlier life', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    const address = makeRepository(join(scratch, 'repository'), { plugin: SCRIPT });
    for (const project of ['kept', 'broken', 'emptied'])
      assert.equal(await store.ensure(pluginFrom(address, project)), undefined);
    await store.close();
    const kept = listing(folder).filter((path) => path.includes('kept'));
    const version = readlinkSync(join(folder, 'shop/kept'));
    cpSync(join(folder, 'shop', version), join(folder, 'shop/.kept/0123456789ab-01234567'), {
      recursive: true,
    });
    cpSync(join(folder, 'shop', version), join(folder, 'shop/.unlinked/0123456789ab-01234567'), {
      recursive: true,
    });
    mkdirSync(join(folder, '.incoming-abc/repository'), { recursive: true });
    rmSync(join(folder, 'shop', readlinkSync(join(folder, 'shop/broken'))), { recursive: true });
    writeFileSync(join(folder, 'shop/emptied/plugin'), '');
    mkdirSync(join(folder, 'lost+found'));
    mkdirSync(join(folder, 'shop/.git'), { recursive: true });

    const again = await openStore(test, { folder, environment: { PATH: '/nonexistent' } });
    assert.deepEqual(listing(folder), ['lost+found', 'shop', ...kept].sort());
    const plugin = pluginFrom(address, 'kept');
    assert.equal(await again.store.ensure(plugin), undefined);
    assert.equal(again.store.versionOf(plugin), store.versionOf(plugin));
    again.store.acquire(plugin)?.release();
    assert.equal(again.store.versionOf(pluginFrom(address, 'broken')), undefined);
  });

  it('is made again when somebody removes it while the agent runs', async (test) => {
    const { store, folder, scratch } = await openStore(test);
    const plugin = pluginFrom(makeRepository(join(scratch, 'repository'), { plugin: SCRIPT }));
    await store.ensure(plugin);
    rmSync(folder, { recursive: true });
    assert.equal(store.acquire(plugin), undefined);
    await waitUntil('the plugin is there again', () => store.versionOf(plugin));
    assert.ok(existsSync(join(folder, 'shop/check/plugin')));
  });
});

describe('closing the plugin store', () => {
  it('gives every further call its error, and holds on to nothing', async (test) => {
    const folder = join(temporaryFolder(test), 'plugins');
    const { log } = recordingLog();
    const store = new PluginStore({ folder, allowedProtocols: ['file'], gitTimeoutMs: 1000, log });
    await store.open();
    await store.close();
    const plugin = pluginFrom('file:///nowhere');
    assert.equal(codeOf(await store.ensure(plugin)), 'closing');
    await assert.rejects(
      store.update(plugin),
      (error) => error instanceof CodedError && error.code === 'closing',
    );
    assert.equal(store.acquire(plugin), undefined);
    await store.close();
  });
});
