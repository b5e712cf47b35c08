import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseServerAddress } from '../../src/shared/nsq-tcp/server-address.js';
import { ServerList } from '../../src/shared/nsq-tcp/server-list.js';

function servers(...names: string[]): ServerList {
  return new ServerList(
    names.map((name) => parseServerAddress(`${name}:4150`)),
    { baseMs: 1e9, capMs: 1e9 },
  );
}

function host(list: ServerList): string {
  const next = list.next();
  assert.ok('address' in next, 'a server may be tried');
  return next.address.host;
}

test('the first server is any of them, and it is kept while it works', () => {
  const firsts = new Set<string>();
  for (let at = 0; at < 200; at++) {
    const list = servers('a', 'b', 'c');
    const first = host(list);
    firsts.add(first);
    list.worked();
    assert.equal(host(list), first);
  }
  assert.deepEqual([...firsts].sort(), ['a', 'b', 'c']);
});

test('a server that failed is left for each of the others before all wait', () => {
  const list = servers('a', 'b', 'c');
  const tried: string[] = [];
  for (let at = 0; at < 3; at++) {
    tried.push(host(list));
    list.failed();
  }
  assert.deepEqual(tried.sort(), ['a', 'b', 'c']);
  const next = list.next();
  assert.ok('waitMs' in next && next.waitMs > 0 && next.waitMs <= 1e9);
});

test('a server that works again is as good as new', () => {
  const list = servers('a');
  host(list);
  list.failed();
  assert.ok('waitMs' in list.next());
  list.worked();
  assert.equal(host(list), 'a');
});

function listed(...names: string[]) {
  return names.map((name) => parseServerAddress(`${name}:4150`));
}

function known(list: ServerList): string[] {
  return list.health().map(({ server, origin }) => `${server.split(':')[0]} ${origin}`);
}

test('a list may begin with no server at all, until one is found', () => {
  const list = servers();
  assert.deepEqual(list.next(), { noneIsKnown: true });
  const { appeared } = list.setListed(listed('found'));
  assert.deepEqual(appeared, listed('found'));
  assert.equal(host(list), 'found');
});

test('a found server is used when the one in use fails, and one that is found in vain is not in the way', () => {
  const list = servers('set');
  assert.equal(host(list), 'set');
  list.setListed(listed('found'));
  assert.equal(host(list), 'set', 'what works is kept');
  list.failed('gone');
  assert.equal(host(list), 'found');
});

test('servers that are set stay, found ones go when nobody lists them', () => {
  const list = servers('set');
  list.setListed(listed('a', 'b', 'set'));
  assert.deepEqual(known(list), ['a lookupd', 'b lookupd', 'set set']);
  const { appeared, vanished } = list.setListed(listed('b', 'c'));
  assert.deepEqual(appeared, listed('c'));
  assert.deepEqual(vanished.map((address) => address.host).sort(), ['a', 'set']);
  assert.deepEqual(known(list), ['b lookupd', 'c lookupd', 'set set']);
});

test('a server in use that vanishes is used until it fails, and then forgotten', () => {
  const list = servers();
  list.setListed(listed('used'));
  host(list);
  list.connected();
  list.setListed(listed('other'));
  assert.deepEqual(known(list), ['other lookupd', 'used lookupd']);
  list.failed('gone');
  assert.deepEqual(known(list), ['other lookupd']);
  assert.equal(host(list), 'other');
});

test('an nsqlookupd that knows nobody yet makes nobody forgotten', () => {
  const list = servers();
  list.setListed(listed('a', 'b'));
  assert.deepEqual(list.setListed([]), { appeared: [], vanished: [] });
  assert.deepEqual(known(list), ['a lookupd', 'b lookupd']);
});

test('the table tells state, failures in a row and the last error of each', () => {
  const before = Date.now();
  const list = servers('a');
  const row = () => {
    const [health] = list.health();
    assert.ok(health !== undefined && health.since >= before && health.since <= Date.now());
    return [health.state, health.failures, health.lastError];
  };
  assert.deepEqual(row(), ['idle', 0, undefined]);
  host(list);
  assert.deepEqual(row(), ['connecting', 0, undefined]);
  list.failed('one');
  list.failed('two');
  assert.deepEqual(row(), ['failed', 2, 'two']);
  list.connected();
  assert.deepEqual(row(), ['connected', 2, 'two']);
  list.worked();
  assert.deepEqual(row(), ['connected', 0, 'two']);
});
