import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '../../src/shared/coded-error.js';
import { parseLookupdAddress } from '../../src/shared/nsq-tcp/lookupd-address.js';
import { readNodes } from '../../src/shared/nsq-tcp/lookupd-nodes.js';

function texts(body: unknown): string[] {
  return readNodes(JSON.stringify(body)).map((address) => address.text);
}

test('an nsqlookupd is host:port or a URL', () => {
  const cases = [
    ['lookup-1:4161', 'lookup-1:4161', 'http://lookup-1:4161/nodes'],
    ['127.0.0.1:80', '127.0.0.1:80', 'http://127.0.0.1/nodes'],
    ['[::1]:4161', '[::1]:4161', 'http://[::1]:4161/nodes'],
    ['http://lookup-1:4161', 'lookup-1:4161', 'http://lookup-1:4161/nodes'],
    ['http://lookup-1:4161/', 'lookup-1:4161', 'http://lookup-1:4161/nodes'],
    ['https://example.org/nsq/', 'example.org/nsq', 'https://example.org/nsq/nodes'],
  ] as const;
  for (const [given, text, url] of cases) {
    const address = parseLookupdAddress(given);
    assert.deepEqual([address.text, address.nodesUrl.href], [text, url]);
  }
});

test('secrets in the URL of an nsqlookupd are used and not shown', () => {
  const address = parseLookupdAddress('http://user:pass-word@lookup-1:4161');
  assert.equal(address.text, 'lookup-1:4161');
  assert.equal(address.nodesUrl.password, 'pass-word');
  for (const bad of ['user:pass-word@lookup-1:4161', 'ftp://user:pass-word@lookup-1:4161']) {
    assert.throws(
      () => parseLookupdAddress(bad),
      (error) => error instanceof CodedError && !error.message.includes('pass-word'),
    );
  }
});

test('what is no address of an nsqlookupd is refused with an example', () => {
  for (const bad of [
    '',
    'host',
    ':4161',
    'host:',
    'host:99999',
    'ftp://host:1',
    'http://',
    'host:1/nodes',
    'h h:1',
    'http://host:4161/?a=b',
  ]) {
    assert.throws(
      () => parseLookupdAddress(bad),
      (error) =>
        error instanceof CodedError &&
        error.code === 'nsq-options' &&
        /127\.0\.0\.1:4161/.test(error.message),
      bad,
    );
  }
});

test('nodes are read from the answers of new and old nsqlookupds', () => {
  const producers = [
    { broadcast_address: 'nsq-1', hostname: 'x', tcp_port: 4150, http_port: 4151, topics: ['a'] },
    { broadcast_address: '10.0.0.2', tcp_port: 4150 },
    { broadcast_address: 'fe80::1', tcp_port: 4150 },
    { broadcast_address: 'nsq-1', tcp_port: 4150 },
  ];
  const expected = ['nsq-1:4150', '10.0.0.2:4150', '[fe80::1]:4150'];
  assert.deepEqual(texts({ producers }), expected);
  assert.deepEqual(texts({ status_code: 200, status_txt: 'OK', data: { producers } }), expected);
  assert.deepEqual(texts({ producers: [] }), []);
});

test('nodes without a usable address are left out', () => {
  const bad = [
    null,
    7,
    'nsq-1:4150',
    {},
    { broadcast_address: 'a' },
    { broadcast_address: 'a', tcp_port: '4150' },
    { broadcast_address: 'a', tcp_port: 0 },
    { broadcast_address: 'a', tcp_port: 65_536 },
    { broadcast_address: 'a', tcp_port: 1.5 },
    { broadcast_address: '', tcp_port: 1 },
    { broadcast_address: 'http://a/', tcp_port: 1 },
    { broadcast_address: 'a\nb', tcp_port: 1 },
  ];
  assert.deepEqual(texts({ producers: [...bad, { broadcast_address: 'good', tcp_port: 1 }] }), ['good:1']);
});

test('an answer that lists no nodes is named, fit for a log', () => {
  for (const body of ['', 'not JSON\u001b[31m', 'null', '[]', '{}', '{"producers":{}}', '{"data":{}}']) {
    assert.throws(
      () => readNodes(body),
      (error) =>
        error instanceof Error && /lists no nodes/.test(error.message) && !/\p{Cc}/u.test(error.message),
    );
  }
});
