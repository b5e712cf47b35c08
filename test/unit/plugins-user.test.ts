import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { test } from 'node:test';
import { resolvePluginsUser } from '../../src/supervisor/lifecycle/plugins-user.js';

const isRoot = process.geteuid?.() === 0;
const asRoot = { skip: isRoot ? false : 'needs root' };
const asUser = { skip: isRoot ? 'needs an ordinary user' : false };

test('root finds another user by name and by number', asRoot, () => {
  const byName = resolvePluginsUser('nobody', false);
  assert.ok(byName.kind === 'other');
  assert.equal(byName.user.name, 'nobody');
  assert.ok(byName.user.uid > 0);
  assert.ok(byName.user.home.startsWith('/'));
  assert.deepEqual(resolvePluginsUser(String(byName.user.uid), false), byName);
});

for (const name of ['no-such-user-here', '--help', 'a:b', 'a\nroot', '4294967290', '*']) {
  test(`for root ${JSON.stringify(name)} is an unknown user, no error`, asRoot, () => {
    assert.deepEqual(resolvePluginsUser(name, false), { kind: 'unknown', name });
  });
}

for (const name of ['', 'root', '0']) {
  test(`root does not run plugins as root by ${JSON.stringify(name)} without leave`, asRoot, () => {
    assert.throws(
      () => resolvePluginsUser(name, false),
      /plugins would run as root.*\[runner\] allowroot = true/,
    );
    assert.deepEqual(resolvePluginsUser(name, true), { kind: 'own' });
  });
}

test('an ordinary user runs plugins as himself, by no name, by his name and by his number', asUser, () => {
  const { username, uid } = userInfo();
  for (const name of ['', username, String(uid)]) {
    assert.deepEqual(resolvePluginsUser(name, false), { kind: 'own' });
  }
});

for (const name of ['root', 'no-such-user-here']) {
  test(`an ordinary user cannot run plugins as ${name}`, asUser, () => {
    assert.throws(() => resolvePluginsUser(name, true), /only root can start programs as another user/);
  });
}
