import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { shellPlugin } from '../support/plugin-folder.js';
import { PLUGIN_USER, runnerPool } from '../support/runner-pool.js';

const UID = PLUGIN_USER?.uid ?? process.geteuid?.();

test('a plugin finds in its state folder what it put there, and nobody else gets in', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(t, 'cd "$AGENT_STATE" && echo x >>runs && wc -l <runs', 'stat -c "%a %u" .');
  const stateFolder = join(dirname(folder), 'state');
  const environment = { PATH: process.env.PATH ?? '', AGENT_STATE: stateFolder };
  for (let run = 1; run <= 3; run += 1) {
    const { stdoutEnd, stderrEnd } = await runner.run({ folder, environment, anyOutput: true });
    assert.equal(stdoutEnd.replace(/ +/g, ' ').trim(), `${run}\n700 ${UID}`, stderrEnd);
  }
});

test('a state folder whose mode the plugin has changed is put right before the next run', async (t) => {
  const runner = runnerPool(t);
  for (const mode of ['000', '777', '4755']) {
    const folder = shellPlugin(t, `chmod ${mode} "$AGENT_STATE"`);
    const stateFolder = join(dirname(folder), 'state');
    const environment = { PATH: process.env.PATH ?? '', AGENT_STATE: stateFolder };
    assert.equal((await runner.run({ folder, environment, anyOutput: true })).status, 'ok');
    const look = shellPlugin(t, 'stat -c %a "$AGENT_STATE"');
    const { stdoutEnd } = await runner.run({ folder: look, stateFolder, environment, anyOutput: true });
    assert.equal(stdoutEnd, '700\n', mode);
  }
});

test('a link in place of the state folder is not followed, and the plugin is not run', async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(t, 'echo "[]"');
  const target = join(dirname(folder), 'target');
  mkdirSync(target);
  chmodSync(target, 0o755);
  symlinkSync('target', join(dirname(folder), 'state'));
  const outcome = await runner.run({ folder });
  assert.deepEqual([outcome.status, outcome.value], ['spawn', 126]);
  assert.match(outcome.problem ?? '', /its state folder .*\/state is no folder/);
  const { uid, mode } = statSync(target);
  assert.deepEqual([uid, mode & 0o777], [process.geteuid?.(), 0o755], 'the target is as it was');
});

test('a folder of another user passes to the plugin, what is in it does not', {
  skip: PLUGIN_USER === undefined && 'only root can give folders away',
}, async (t) => {
  const runner = runnerPool(t);
  const folder = shellPlugin(t, 'echo "[]"');
  const stateFolder = join(dirname(folder), 'state');
  const secret = join(dirname(folder), 'secret');
  writeFileSync(secret, 'of root');
  mkdirSync(stateFolder, 0o755);
  symlinkSync(secret, join(stateFolder, 'link'));
  assert.equal((await runner.run({ folder })).status, 'ok');
  const { uid, mode } = lstatSync(stateFolder);
  assert.deepEqual([uid, mode & 0o777], [UID, 0o700]);
  assert.equal(lstatSync(secret).uid, 0);
  assert.equal(lstatSync(join(stateFolder, 'link')).uid, 0);
  assert.equal(readFileSync(secret, 'utf8'), 'of root');
});
