import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '../../src/shared/coded-error.js';
import { type NsqProducerOptions, producerSettings } from '../../src/shared/nsq-tcp/options.js';
import { parseServerAddress } from '../../src/shared/nsq-tcp/server-address.js';
import { delayProblem, messageProblem, topicProblem } from '../../src/shared/nsq-tcp/validity.js';

function isOptionsError(pattern: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof CodedError && error.code === 'nsq-options' && pattern.test(error.message);
}

test('a server is host:port, with an IPv6 address in brackets', () => {
  assert.deepEqual(parseServerAddress('nsq-1.example.org:4150'), {
    text: 'nsq-1.example.org:4150',
    host: 'nsq-1.example.org',
    port: 4150,
  });
  assert.equal(parseServerAddress('[::1]:4150').host, '::1');
  assert.equal(parseServerAddress('[fe80::1%eth0]:4150').host, 'fe80::1%eth0');
});

test('what is no host:port is refused with an example', () => {
  for (const text of [
    '',
    'host',
    'host:',
    ':4150',
    'host:0',
    'host:65536',
    '::1:4150',
    'http://host:4150',
    'h h:1',
    'host:4150/',
  ]) {
    assert.throws(() => parseServerAddress(text), isOptionsError(/127\.0\.0\.1:4150/), text);
  }
});

test('a producer needs a server, and counts one that is named twice once', () => {
  assert.throws(() => producerSettings({ servers: [] }), isOptionsError(/at least one server/));
  assert.equal(producerSettings({ servers: ['a:1', 'b:1', 'a:1'] }).servers.length, 2);
});

test('an nsqlookupd is enough, and one that is named twice counts once', () => {
  const settings = producerSettings({ lookupd: ['a:4161', 'http://b:4161', 'a:4161'] });
  assert.deepEqual(
    settings.lookupds.map((lookupd) => lookupd.text),
    ['a:4161', 'b:4161'],
  );
  assert.throws(() => producerSettings({ lookupd: ['a'] }), isOptionsError(/no address of an nsqlookupd/));
});

test('a compression that does not exist is refused, even where types are not looked at', () => {
  const options: NsqProducerOptions = JSON.parse('{"servers": ["a:1"], "compression": "gzip"}');
  assert.throws(() => producerSettings(options), isOptionsError(/"gzip": it must be "none", "deflate" or/));
  assert.equal(producerSettings({ servers: ['a:1'] }).compression, undefined);
});

test('a batch is never larger than what may be on the way', () => {
  const settings = producerSettings({ servers: ['a:1'], maxInFlightMessages: 10, maxInFlightBytes: 1_000 });
  assert.deepEqual([settings.maxBatchMessages, settings.maxBatchBytes], [10, 1_000]);
});

test('numbers that cannot be are refused by name', () => {
  const bad: Partial<NsqProducerOptions>[] = [
    { heartbeatMs: 999 },
    { heartbeatMs: 60_001 },
    { responseTimeoutMs: 0 },
    { connectTimeoutMs: Number.NaN },
    { maxInFlight: 1.5 },
    { maxBatchBytes: 2 ** 31 },
    { backOffCapMs: -1 },
    { deflateLevel: 0 },
    { deflateLevel: 10 },
    { lookupdPollMs: 99 },
    { lookupdTimeoutMs: 0 },
    { maxInFlightMessages: 0 },
    { maxInFlightBytes: 0.5 },
    { maxUnsettledMessages: -1 },
    { maxUnsettledBytes: Number.POSITIVE_INFINITY },
  ];
  for (const options of bad) {
    const [key = ''] = Object.keys(options);
    assert.throws(() => producerSettings({ servers: ['a:1'], ...options }), isOptionsError(new RegExp(key)));
  }
});

test('certificates that cannot be read are refused at once', () => {
  assert.throws(
    () => producerSettings({ servers: ['a:1'], tls: { cert: 'no PEM', key: 'no PEM' } }),
    isOptionsError(/TLS/),
  );
});

test('topic names follow the rule of nsqd', () => {
  for (const good of [
    'a',
    'collect.my-host_1',
    'x'.repeat(64),
    'a#ephemeral',
    `${'x'.repeat(54)}#ephemeral`,
  ]) {
    assert.equal(topicProblem(good), undefined, good);
  }
  for (const bad of [
    '',
    'a b',
    'a\n',
    'a/b',
    'ä',
    'x'.repeat(65),
    'a#other',
    '#ephemeral',
    `${'x'.repeat(55)}#ephemeral`,
  ]) {
    assert.equal(topicProblem(bad)?.code, 'nsq-bad-topic', JSON.stringify(bad));
  }
});

test('a delay is a whole number of milliseconds', () => {
  for (const good of [0, 1, 3_600_000]) assert.equal(delayProblem('t', good), undefined);
  for (const bad of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])
    assert.equal(delayProblem('t', bad)?.code, 'nsq-bad-delay');
});

test('an empty message and one beyond the bound are refused before they are sent', () => {
  assert.equal(messageProblem('t', Buffer.alloc(0), 10)?.code, 'nsq-bad-message');
  assert.equal(messageProblem('t', Buffer.alloc(11), 10)?.code, 'nsq-message-too-large');
  assert.equal(messageProblem('t', Buffer.alloc(10), 10), undefined);
});
