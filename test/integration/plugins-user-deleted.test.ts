import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import test, { type TestContext } from 'node:test';
import { PluginsUserLookup } from '../../src/supervisor/lifecycle/plugins-user-lookup.js';
import { recordingLog } from '../support/recording-log.js';

const canChangeUsers = process.getuid?.() === 0 && existsSync('/usr/sbin/useradd');

const skip = !canChangeUsers && 'takes root and useradd';

test('a user that is deleted while the agent runs has its plugins refused, until it is there again', {
  skip,
}, (t) => {
  const { name, add, remove } = temporaryUser(t, 'deleted');
  const { log, lines } = recordingLog();
  const lookup = new PluginsUserLookup(name, false, log);
  const found = lookup.runAs();
  assert.ok('user' in found && found.user);
  assert.equal(found.user.name, name);
  assert.deepEqual(found.user.groups, [idOfGroup('daemon')]);
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

test('a group that the user comes to or leaves while the agent runs is one of its plugins, or is none any more', {
  skip,
}, (t) => {
  const { name } = temporaryUser(t, 'groups');
  const lookup = new PluginsUserLookup(name, false, recordingLog().log);
  const groupsNow = () => {
    lookup.refresh();
    const found = lookup.runAs();
    return 'user' in found ? found.user?.groups : undefined;
  };
  execFileSync('/usr/sbin/usermod', ['--groups', 'daemon,mail', name]);
  assert.deepEqual(groupsNow(), [idOfGroup('daemon'), idOfGroup('mail')]);
  execFileSync('/usr/sbin/usermod', ['--groups', '', name]);
  assert.deepEqual(groupsNow(), []);
});

/** A user in the group daemon, for one test. */
function temporaryUser(test: Pick<TestContext, 'after'>, purpose: string) {
  const name = `agent-${purpose}-${process.pid}`;
  const add = () => execFileSync('/usr/sbin/useradd', ['--no-create-home', '--groups', 'daemon', name]);
  const remove = () => execFileSync('/usr/sbin/userdel', [name]);
  add();
  test.after(() => {
    try {
      remove();
    } catch {
      // The test has removed it already.
    }
  });
  return { name, add, remove };
}

function idOfGroup(name: string): number {
  return Number(execFileSync('getent', ['group', name], { encoding: 'utf8' }).split(':')[2]);
}
