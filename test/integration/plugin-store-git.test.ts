import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { git, gitEnvironment, makeRepository } from '../support/git-repository.js';
import { hangingServer, serveGit, serveGitOverHttp } from '../support/git-server.js';
import { listing, openStore, pluginFrom, processesNaming, SCRIPT } from '../support/store.js';
import { waitUntil } from '../support/wait-until.js';

/** Writes a program that leaves a mark when it runs. */
function trap(path: string, mark: string): string {
  writeFileSync(path, `#!/bin/sh\necho "$0" >>${mark}\nexit 0\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('git of the plugin store', () => {
  it('ends a git that is not done in time, with all it started, and leaves no folder', async (test) => {
    const { store, folder } = await openStore(test, { gitTimeoutMs: 300 });
    const server = await hangingServer(test);
    const error = await store.ensure(pluginFrom(`${server.address}/x`));
    assert.equal(error?.code, 'git-timeout');
    assert.match(error?.message ?? '', /git was not done after 0\.3 s and was ended; .*gittimeout/);
    assert.deepEqual(processesNaming(server.address), []);
    assert.deepEqual(listing(folder), []);
  });

  it('ends an ssh that ignores SIGTERM', async (test) => {
    const { store, scratch, folder } = await openStore(test);
    await store.close();
    const command = join(scratch, 'stubborn-ssh');
    writeFileSync(
      command,
      `#!/bin/sh\ntrap "" TERM INT HUP\necho $$ >${scratch}/pid\nwhile :; do sleep 1; done\n`,
    );
    chmodSync(command, 0o755);
    const environment = { ...gitEnvironment(), GIT_SSH_COMMAND: command, GIT_SSH_VARIANT: 'ssh' };
    // It tries again and again: on a busy machine the first tries may be over before there is any ssh.
    const stubborn = await openStore(test, {
      folder,
      environment,
      gitTimeoutMs: 3000,
      retryBaseMs: 1,
      retryCapMs: 1,
    });
    const error = await stubborn.store.ensure(pluginFrom('git@host.invalid:group/check.git'));
    assert.equal(error?.code, 'git-timeout');
    const file = join(scratch, 'pid');
    const pid = await waitUntil('there was an ssh', () =>
      existsSync(file) ? Number(readFileSync(file, 'utf8')) || undefined : undefined,
    );
    await waitUntil('that ssh is gone', () => !processesNaming(command).includes(pid));
    await stubborn.store.close();
    await waitUntil('and the others', () => processesNaming(command).length === 0);
  });

  it('ends the gits that run when the store closes, and those that wait never begin', async (test) => {
    const { store, folder } = await openStore(test, { concurrency: 2 });
    const server = await hangingServer(test);
    const outcomes = Array.from({ length: 6 }, (_, index) =>
      store.ensure(pluginFrom(`${server.address}/x`, `p${index}`)),
    );
    await waitUntil('two gits ask the server', () => server.connections.size === 2);
    await store.close();
    for (const outcome of outcomes) assert.equal((await outcome)?.code, 'closing');
    assert.deepEqual(processesNaming(server.address), []);
    assert.deepEqual(listing(folder), []);
  });

  it('gives up a repository that is larger than the bounds', async (test) => {
    const { store, folder, scratch } = await openStore(test, {
      bounds: { bytes: 2_000_000, entries: 1000 },
      // No second try while the test looks at what the first one left.
      retryBaseMs: 3_600_000,
      retryCapMs: 3_600_000,
    });
    const large = makeRepository(join(scratch, 'large'), {
      plugin: SCRIPT,
      files: { data: 'x'.repeat(3_000_000) },
    });
    const files = Object.fromEntries(Array.from({ length: 1200 }, (_, index) => [`file-${index}`, '']));
    const many = makeRepository(join(scratch, 'many'), { plugin: SCRIPT, files });
    for (const [project, address] of [
      ['large', large],
      ['many', many],
    ] as const) {
      const error = await store.ensure(pluginFrom(address, project));
      assert.equal(error?.code, 'repository-too-large');
      assert.match(error?.message ?? '', /2 MiB and 1000 files/);
    }
    assert.deepEqual(listing(folder), []);
  });

  it('runs no hook, template, filter, monitor or submodule', async (test) => {
    const { store, scratch, folder } = await openStore(test);
    await store.close();
    const mark = join(scratch, 'mark');
    const hooks = join(scratch, 'template/hooks');
    mkdirSync(hooks, { recursive: true });
    for (const hook of ['post-checkout', 'post-merge', 'reference-transaction'])
      trap(join(hooks, hook), mark);
    const monitor = trap(join(scratch, 'monitor'), mark);
    const settings = [
      `[core]\n hooksPath = ${hooks}\n fsmonitor = ${monitor}\n askPass = ${monitor}`,
      `[init]\n templateDir = ${join(scratch, 'template')}`,
      '[submodule]\n recurse = true\n[clone]\n defaultRemoteName = elsewhere',
    ].join('\n');
    writeFileSync(join(scratch, 'settings'), settings);

    const submodule = makeRepository(join(scratch, 'submodule'), { plugin: SCRIPT });
    const repository = join(scratch, 'repository');
    const filter = `[filter "evil"]\n smudge = ${monitor}\n required = true\n`;
    const address = makeRepository(repository, {
      plugin: SCRIPT,
      files: {
        '.gitattributes': '* filter=evil diff=evil\n',
        '.gitconfig': filter,
        'hooks/post-checkout': `#!/bin/sh\ntouch ${mark}\n`,
        '.gitmodules': `[submodule "sub"]\n path = sub\n url = ${submodule}\n update = !touch ${mark}\n`,
      },
      executables: ['plugin', 'hooks/post-checkout'],
    });
    git(
      repository,
      'update-index',
      '--add',
      '--cacheinfo',
      `160000,${git(join(scratch, 'submodule'), 'rev-parse', 'HEAD')},sub`,
    );
    git(repository, 'commit', '--quiet', '--message', 'Add a submodule');
    writeFileSync(
      join(repository, '.git/config'),
      `${readFileSync(join(repository, '.git/config'), 'utf8')}${filter}`,
    );

    const environment = {
      ...gitEnvironment(),
      GIT_CONFIG_GLOBAL: join(scratch, 'settings'),
      GIT_TEMPLATE_DIR: join(scratch, 'template'),
      GIT_DIR: join(scratch, 'nowhere'),
      GIT_EXTERNAL_DIFF: monitor,
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'filter.evil.smudge',
      GIT_CONFIG_VALUE_0: monitor,
    };
    const trapped = await openStore(test, { folder, environment });
    assert.equal(await trapped.store.ensure(pluginFrom(address)), undefined);
    assert.equal(existsSync(mark), false);
    assert.equal(existsSync(join(folder, 'shop/check/.git/hooks')), false);
    assert.deepEqual(readdirSync(join(folder, 'shop/check/sub')), []);
    assert.equal(readFileSync(join(folder, 'shop/check/plugin'), 'utf8'), SCRIPT);
  });

  it('starts nothing for an address that is not allowed', async (test) => {
    const { store, scratch, folder } = await openStore(test, { allowedProtocols: ['https', 'ssh'] });
    const mark = join(scratch, 'mark');
    const repository = makeRepository(join(scratch, 'repository'), { plugin: SCRIPT });
    const addresses = [
      `--upload-pack=touch ${mark}`,
      `--upload-pack=touch\t${mark}`,
      `-utouch${mark}`,
      `ext::sh -c touch% ${mark}`,
      `ext::touch${mark}`,
      `fd::17/x`,
      `ssh://-oProxyCommand=touch${mark}/x`,
      `ssh://user@-oProxyCommand=touch${mark}/x`,
      `-oProxyCommand=touch${mark}:x`,
      repository,
      join(scratch, 'repository'),
      '../repository',
      'http://127.0.0.1/x.git',
      'git://127.0.0.1/x.git',
      'ftp://127.0.0.1/x.git',
      'group/project',
      '',
    ];
    for (const [index, address] of addresses.entries()) {
      const error = await store.ensure(pluginFrom(address, `p${index}`));
      assert.equal(error?.code, 'address-refused', address);
      assert.match(error?.message ?? '', /change it in the registry or \[agent\] gitprotocols$/);
    }
    assert.equal(existsSync(mark), false);
    assert.deepEqual(listing(folder), []);
  });

  it('keeps to the allowed protocols when the operator rewrites addresses', async (test) => {
    const { store, scratch, folder } = await openStore(test);
    await store.close();
    makeRepository(join(scratch, 'repository'), { plugin: SCRIPT });
    writeFileSync(
      join(scratch, 'settings'),
      `[url "file://${scratch}/"]\n insteadOf = https://git.invalid/\n`,
    );
    const environment = { ...gitEnvironment(), GIT_CONFIG_GLOBAL: join(scratch, 'settings') };
    const strict = await openStore(test, { folder, environment, allowedProtocols: ['https'] });
    const error = await strict.store.ensure(pluginFrom('https://git.invalid/repository'));
    assert.equal(error?.code, 'git-failed');
    assert.match(error?.message ?? '', /transport 'file' not allowed/);
  });

  it("clones over git's own protocol", async (test) => {
    const { store, scratch } = await openStore(test);
    makeRepository(join(scratch, 'repository'), { plugin: SCRIPT, branch: 'release' });
    const server = await serveGit(test, scratch);
    assert.equal(await store.ensure(pluginFrom(`${server}/repository`)), undefined);
    const missing = await store.ensure(pluginFrom(`${server}/missing`, 'missing'));
    assert.equal(missing?.code, 'git-failed');
  });

  it('clones over HTTP with a password, and shows it to nobody', async (test) => {
    const { store, scratch, folder, lines } = await openStore(test, { allowedProtocols: ['http'] });
    makeRepository(join(scratch, 'repository'), { plugin: SCRIPT });
    const { host } = await serveGitOverHttp(test, scratch, { user: 'robot', password: 'open sesame' });
    const plugin = pluginFrom(`http://robot:open%20sesame@${host}/repository`);
    assert.equal(await store.ensure(plugin), undefined);
    const config = readFileSync(join(folder, 'shop/check/.git/config'), 'utf8');
    assert.match(config, new RegExp(`url = http://${host}/repository`));
    for (const name of readdirSync(join(folder, 'shop/check/.git'))) {
      const path = join(folder, 'shop/check/.git', name);
      if (name !== 'objects' && name !== 'refs')
        assert.doesNotMatch(readFileSync(path, 'utf8'), /sesame/, name);
    }
    assert.equal(
      await store.ensure({ ...plugin, address: `http://robot:changed-since@${host}/repository` }),
      undefined,
    );

    const refused = await store.ensure(pluginFrom(`http://robot:wrong-secret@${host}/repository`, 'refused'));
    assert.equal(refused?.code, 'git-failed');
    const nobody = await store.ensure(pluginFrom(`http://${host}/repository`, 'nobody'));
    assert.match(nobody?.message ?? '', /could not read Username for .*terminal prompts disabled/);
    const said = JSON.stringify([refused, refused?.message, lines]);
    assert.doesNotMatch(said, /sesame|wrong-secret|changed-since/);
  });

  it('says so when git is missing', async (test) => {
    const { store, folder } = await openStore(test, { environment: { PATH: '/nonexistent' } });
    const error = await store.ensure(pluginFrom('https://git.invalid/x.git'));
    assert.equal(error?.code, 'git-missing');
    assert.match(error?.message ?? '', /from https:\/\/git\.invalid\/x\.git: git was not found; install it/);
    assert.deepEqual(listing(folder), []);
  });

  it('names the folder, not the server, when the disk is full', async (test) => {
    const { scratch } = await openStore(test);
    const saying = "#!/bin/sh\necho 'fatal: write error: No space left on device' >&2\nexit 128\n";
    writeFileSync(join(scratch, 'git'), saying);
    chmodSync(join(scratch, 'git'), 0o755);
    const environment = { PATH: `${scratch}:/usr/bin:/bin` };
    const { store, folder } = await openStore(test, { folder: join(scratch, 'full'), environment });
    const error = await store.ensure(pluginFrom('https://git.invalid/x.git'));
    assert.match(error?.message ?? '', /No space left on device\); make room on .* \[agent\] pluginsdir$/);
    assert.deepEqual(listing(folder), []);
  });
});
