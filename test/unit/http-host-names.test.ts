import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isLoopback, OwnHosts, parseAuthority } from '../../src/supervisor/http/host-names.js';
import { temporaryFolder } from '../support/temporary-folder.js';

test('loopback is what the machine says to itself with, IPv4 written as IPv6 included', () => {
  for (const address of ['127.0.0.1', '127.255.0.3', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1']) {
    assert.ok(isLoopback(address), address);
  }
  for (const address of [
    '10.0.0.1',
    '::ffff:10.0.0.1',
    '::',
    '0.0.0.0',
    '128.0.0.1',
    '127.0.0.1.evil.example',
    'localhost',
    '',
  ]) {
    assert.ok(!isLoopback(address), address);
  }
});

test('a Host header is read as a name and a port, or not at all', () => {
  assert.deepEqual(parseAuthority('Example.COM.:8080'), { host: 'example.com', port: '8080' });
  assert.deepEqual(parseAuthority('[0:0::1]:1'), { host: '::1', port: '1' });
  assert.deepEqual(parseAuthority('localhost'), { host: 'localhost', port: undefined });
  for (const text of ['', ' ', 'a b', 'a@b', 'a/b', 'a?b', 'a#b', 'a\\b', 'a:b', 'a:99999', '[::1', 'ä']) {
    assert.equal(parseAuthority(text), undefined, JSON.stringify(text));
  }
});

test('the full name that the hosts file gives this machine is its own, other lines are not', (t) => {
  const file = join(temporaryFolder(t), 'hosts');
  const full = `${hostname()}.example.com`;
  writeFileSync(file, `127.0.0.1 localhost ads.example\n127.0.1.1\t${full} ${hostname()} # evil.example\n`);
  const hosts = new OwnHosts(undefined, [], file);
  assert.ok(hosts.includes(full.toLowerCase()));
  assert.ok(!hosts.includes('ads.example'));
  assert.ok(!hosts.includes('evil.example'));
  assert.ok(!new OwnHosts(undefined, [], '/nowhere/hosts').includes(full));
});

test('the listen address is a name of its own unless it means every address', () => {
  assert.ok(new OwnHosts('agent.internal', []).includes('agent.internal'));
  assert.ok(!new OwnHosts('0.0.0.0', []).includes('0.0.0.0'));
  assert.ok(!new OwnHosts('::', []).includes('::'));
});

test('names of the configuration are taken as they are written', () => {
  const hosts = new OwnHosts(undefined, ['Agent.Example.com', '2001:db8::1', '[2001:db8:0::2]']);
  assert.ok(hosts.includes('agent.example.com'));
  assert.ok(hosts.includes('2001:db8::1'));
  assert.ok(hosts.includes('2001:db8::2'));
});
