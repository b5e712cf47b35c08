import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { PluginsUserLookup } from '../../src/supervisor/lifecycle/plugins-user-lookup.js';
import { recordingLog } from '../support/recording-log.js';

const canChangeUsers = process.getuid?.() === 0 && existsSync('/usr/sbin/useradd');

test('a user that is deleted while the agent runs has its plugins refused, until it is there again', {
  skip: !canChangeUsers && 'takes root and useradd',
}, (t) => {
  const name = `agent-test-${process.pid}`;
  const add = () => execFileSync('/usr/sbin/useradd', ['--no-create-home', '--groups', 'daemon', name]);
  const remove = () => execFileSync('/usr/sbin/userdel', [name]);
  add();
  t.after(() => {
    try {
      remove();
    } catch {
      // The test has removed it already.
    }
  });
  const { log, lines } = recordingLog();
  const lookup = new PluginsUserLookup(name, false, log);
  const found = lookup.runAs();
  assert.ok('user' in found && found.user);
  assert.equal(found.user.name, name);
  const daemonGroup = Number(execFileSync('getent', ['group', 'daemon'], { encoding: 'utf8' }).split(':')[2]);
  assert.deepEqual(found.user.groups, [daemonGroup]);
  remove();
  lookup.refresh();
  const refused = lookup.runAs();
  assert.ok('problem' in refused);
  assert.match(refused.problem, /unknown on this machine/);
  assert.ok(lines.some(({ level, message }) => level === 'error' && message.includes('no plugin can run')));
  add();
  lookup.refresh();
  assert.ok('user' in lookup.runAs());
});
