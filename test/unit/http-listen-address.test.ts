import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatHostPort } from '../../src/shared/host-port.js';
import { parseListenAddress } from '../../src/supervisor/http/listen-address.js';

test('a listen address is a host and a port, the host may be left out', () => {
  assert.deepEqual(parseListenAddress('127.0.0.1:1232'), { host: '127.0.0.1', port: 1232 });
  assert.deepEqual(parseListenAddress(':0'), { host: undefined, port: 0 });
  assert.deepEqual(parseListenAddress('[::1]:65535'), { host: '::1', port: 65_535 });
  assert.deepEqual(parseListenAddress('db1.shop:80'), { host: 'db1.shop', port: 80 });
});

test('anything else is refused with the forms that are right', () => {
  for (const text of [
    '',
    '1232',
    'host',
    'host:',
    ':',
    '::1:80',
    '[::1]',
    '[host]:1',
    'h:70000',
    'h:-1',
    'h: 1',
    'h:1 ',
  ]) {
    assert.throws(() => parseListenAddress(text), /write it as "127\.0\.0\.1:1232"/, text);
  }
});

test('an address is written as in a URL', () => {
  assert.equal(formatHostPort({ host: '127.0.0.1', port: 80 }), '127.0.0.1:80');
  assert.equal(formatHostPort({ host: '::1', port: 80 }), '[::1]:80');
});
