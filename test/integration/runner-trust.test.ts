import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { PluginPin, PluginTrust } from '../../src/shared/plugin-trust.js';
import { shellPlugin } from '../support/plugin-folder.js';
import { PLUGIN_USER, runnerPool } from '../support/runner-pool.js';

const COMMIT = 'a'.repeat(40);
const OTHER_COMMIT = 'b'.repeat(40);

const refusals: readonly { what: string; prepare(folder: string): void; says: RegExp; rootOnly?: true }[] = [
  {
    what: 'a file that every user can write',
    prepare: (folder) => chmodSync(join(folder, 'plugin'), 0o757),
    says: /every user could change .*\/plugin; run chmod go-w/,
  },
  {
    what: 'a file that its group can write',
    prepare: (folder) => chmodSync(join(folder, 'plugin'), 0o775),
    says: /everybody in the group with id \d+ could change .*\/plugin/,
  },
  {
    what: 'a folder that every user can write, in which the file could be replaced',
    prepare: (folder) => chmodSync(folder, 0o777),
    says: /every user could change .*\/project;/,
  },
  {
    what: 'a folder with the sticky bit',
    prepare: (folder) => chmodSync(folder, 0o1777),
    says: /every user could change .*\/project;/,
  },
  {
    what: 'a folder above, in the store',
    prepare: (folder) => chmodSync(dirname(folder), 0o775),
    says: /everybody in the group/,
  },
  {
    what: 'a file that belongs to the user that plugins run as',
    prepare: (folder) => chownSync(join(folder, 'plugin'), 65534, 65534),
    says: /nobody, who owns .*\/plugin, could change it/,
    rootOnly: true,
  },
  {
    what: 'a folder that belongs to the user that plugins run as',
    prepare: (folder) => chownSync(folder, 65534, 65534),
    says: /nobody, who owns .*\/project, could change it/,
    rootOnly: true,
  },
  {
    what: 'a file of a third user',
    prepare: (folder) => chownSync(join(folder, 'plugin'), 12345, 0),
    says: /the user with id 12345, who owns .*\/plugin, could change it/,
    rootOnly: true,
  },
  {
    what: 'a link whose target every user can write',
    prepare: (folder) => {
      mkdirSync(join(folder, 'bin'));
      renameSync(join(folder, 'plugin'), join(folder, 'bin', 'real'));
      symlinkSync('bin/real', join(folder, 'plugin'));
      chmodSync(join(folder, 'bin'), 0o777);
    },
    says: /every user could change .*\/bin;/,
  },
  {
    what: 'a link out of the repository',
    prepare: (folder) => {
      renameSync(join(folder, 'plugin'), join(dirname(folder), 'outside'));
      symlinkSync('../outside', join(folder, 'plugin'));
    },
    says: /plugin is a link to .*\/outside, which is not in the repository/,
  },
];

for (const { what, prepare, says, rootOnly } of refusals) {
  test(`${what} is not run, and the run metric says so`, {
    skip: rootOnly && PLUGIN_USER === undefined && 'only root can give files away',
  }, async (t) => {
    const { run, runner, folder } = trusted(t);
    prepare(folder);
    const outcome = await run();
    assert.deepEqual([outcome.status, outcome.value], ['spawn', 126]);
    assert.match(outcome.problem ?? '', /^plugin cpu is not run: /);
    assert.match(outcome.problem ?? '', says);
    const [point] = runner.takePoints();
    assert.deepEqual(
      [point?.measurement, point?.tags.status, point?.fields.value],
      ['plugin.cpu', 'spawn', 126],
    );
  });
}

test('a pipe, on which a look at it would wait, is not run', async (t) => {
  const { run, folder } = trusted(t);
  rmSync(join(folder, 'plugin'));
  execFileSync('mkfifo', ['-m', '755', join(folder, 'plugin')]);
  const { status, value, problem } = await run();
  assert.deepEqual([status, value], ['spawn', 126]);
  assert.match(problem ?? '', /is no regular file/);
});

test('a link inside the repository is run', async (t) => {
  const { run, folder } = trusted(t);
  mkdirSync(join(folder, 'bin'));
  renameSync(join(folder, 'plugin'), join(folder, 'bin', 'real'));
  symlinkSync('bin/real', join(folder, 'plugin'));
  assert.equal((await run()).status, 'ok');
});

test('what is above the folder of all plugins is not looked at', async (t) => {
  const { run, folder } = trusted(t);
  chmodSync(dirname(folder), 0o1777);
  assert.equal((await run(undefined, { storeFolder: folder })).status, 'ok');
  assert.equal((await run(undefined, { storeFolder: dirname(folder) })).status, 'spawn');
});

test('a plugin pinned to its commit runs, and one pinned to another does not, with both in the sentence', async (t) => {
  const { run } = trusted(t);
  assert.equal((await run({ commit: COMMIT })).status, 'ok');
  const refused = await run({ commit: OTHER_COMMIT });
  assert.deepEqual([refused.status, refused.value], ['spawn', 126]);
  assert.match(refused.problem ?? '', new RegExp(`pins it to commit ${OTHER_COMMIT}.* is ${COMMIT}`));
});

test('a plugin pinned to the SHA-256 of its file runs until the file changes, whatever its times say', async (t) => {
  const { run, folder } = trusted(t);
  const file = join(folder, 'plugin');
  const before = sha256Of(file);
  const { atime, mtime } = statSync(file);
  for (let n = 0; n < 3; n += 1) assert.equal((await run({ sha256: before })).status, 'ok');
  appendFileSync(file, '# changed\n');
  utimesSync(file, atime, mtime);
  const refused = await run({ sha256: before });
  assert.deepEqual([refused.status, refused.value], ['spawn', 126]);
  assert.match(refused.problem ?? '', new RegExp(`SHA-256 ${before}.* is ${sha256Of(file)};`));
  assert.equal((await run({ sha256: sha256Of(file) })).status, 'ok');
});

test('a change of the same length within the same moment is seen, too', async (t) => {
  const { run, folder } = trusted(t);
  const file = join(folder, 'plugin');
  const before = sha256Of(file);
  assert.equal((await run({ sha256: before })).status, 'ok');
  const other = shellPlugin(t, 'echo "[]"');
  renameSync(join(other, 'plugin'), file);
  assert.equal((await run({ sha256: before })).status, 'spawn');
});

test('with a pinned commit the file must be what it was when it was fetched', async (t) => {
  const { run, folder } = trusted(t);
  const file = join(folder, 'plugin');
  const fetchedSha256 = sha256Of(file);
  assert.equal((await run({ commit: COMMIT }, { fetchedSha256 })).status, 'ok');
  appendFileSync(file, '# changed\n');
  assert.equal((await run(undefined, { fetchedSha256 })).status, 'ok', 'nothing is pinned');
  const refused = await run({ commit: COMMIT }, { fetchedSha256 });
  assert.equal(refused.status, 'spawn');
  assert.match(refused.problem ?? '', new RegExp(`had SHA-256 ${fetchedSha256}.* is ${sha256Of(file)} now`));
});

function sha256Of(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** A plugin in a folder of a store of its own, and how to run it with a pin. */
function trusted(t: TestContext) {
  const runner = runnerPool(t);
  const folder = shellPlugin(t, `echo '[{"name":"a","value":1}]'`);
  const run = (pin?: PluginPin, more: Partial<PluginTrust> = {}) => {
    const storeFolder = dirname(folder);
    const trust = { storeFolder, commit: COMMIT, fetchedSha256: undefined, pin, ...more };
    return runner.run({ folder, trust });
  };
  return { run, runner, folder };
}
