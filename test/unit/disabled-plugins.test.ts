import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DisabledPlugins } from '../../src/supervisor/plugins/disabled-plugins.js';
import { StateFolder } from '../../src/supervisor/state/state-folder.js';
import { recordingLog } from '../support/recording-log.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const DAY_MS = 24 * 60 * 60 * 1000;

test('a disabled plugin stays disabled over a restart of the agent', async (t) => {
  const { log } = recordingLog();
  const state = new StateFolder(join(temporaryFolder(t), 'state'), log);
  const before = new DisabledPlugins(state, log);
  const until = await before.disable('shop/disk');
  const after = new DisabledPlugins(state, log);
  await after.load();
  assert.deepEqual(after.disabledUntil('shop/disk'), until);
  assert.equal(after.disabledUntil('shop/other'), undefined);
});

test('it is enabled again after 24 hours, and the sweep forgets it', async (t) => {
  let now = 1_700_000_000_000;
  const { log, lines } = recordingLog();
  const state = new StateFolder(temporaryFolder(t), log);
  const disabled = new DisabledPlugins(state, log, () => now);
  await disabled.disable('shop/disk');
  now += DAY_MS - 1;
  await disabled.sweep();
  assert.ok(disabled.disabledUntil('shop/disk'));
  now += 1;
  assert.equal(disabled.disabledUntil('shop/disk'), undefined);
  await disabled.sweep();
  assert.match(lines[0]?.message ?? '', /shop\/disk was disabled a day ago and is enabled again/);
  const after = new DisabledPlugins(state, log, () => 0);
  await after.load();
  assert.equal(after.disabledUntil('shop/disk'), undefined);
});

test('an enabled plugin stays enabled over a restart', async (t) => {
  const { log } = recordingLog();
  const state = new StateFolder(temporaryFolder(t), log);
  const before = new DisabledPlugins(state, log);
  await before.disable('shop/disk');
  await before.enable('shop/disk');
  const after = new DisabledPlugins(state, log);
  await after.load();
  assert.equal(after.disabledUntil('shop/disk'), undefined);
});

test('a damaged file is set aside and said', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'disabled-plugins.json');
  writeFileSync(file, '{"shop/disk": ');
  const { log, lines } = recordingLog();
  const disabled = new DisabledPlugins(new StateFolder(folder, log), log);
  await disabled.load();
  assert.equal(disabled.disabledUntil('shop/disk'), undefined);
  assert.ok(existsSync(`${file}.damaged`));
  assert.equal(lines[0]?.level, 'warn');
});
