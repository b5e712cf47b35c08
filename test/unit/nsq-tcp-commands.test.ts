import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auth, identify, mpub, pub } from '../../src/shared/nsq-tcp/commands.js';

test('PUB is the topic, the size and the message', () => {
  assert.equal(pub('a.b', Buffer.from('xyz')).toString('latin1'), 'PUB a.b\n\0\0\0\x03xyz');
});

test('MPUB is the topic, the size of the rest, the number of messages and each with its size', () => {
  const bytes = mpub('t', [Buffer.from('one'), Buffer.from('three')]);
  assert.equal(bytes.toString('latin1'), 'MPUB t\n\0\0\0\x14\0\0\0\x02\0\0\0\x03one\0\0\0\x05three');
});

test('messages in shared memory are taken, and bytes beyond ASCII stay as they are', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(4));
  shared.set([0, 255, 128, 10]);
  assert.deepEqual([...mpub('t', [shared]).subarray(-4)], [0, 255, 128, 10]);
  assert.deepEqual([...pub('t', shared).subarray(-4)], [0, 255, 128, 10]);
});

test('the size of AUTH counts bytes, not characters', () => {
  assert.deepEqual(auth('ü'), Buffer.from('AUTH\n\0\0\0\x02ü'));
});

test('IDENTIFY carries its JSON with the size', () => {
  const identity = {
    client_id: 'höst',
    hostname: 'höst.example',
    user_agent: 'test',
    feature_negotiation: true,
    heartbeat_interval: 30_000,
    tls_v1: false,
    deflate: true,
    deflate_level: 6,
    snappy: false,
  } as const;
  const bytes = identify(identity);
  const head = 'IDENTIFY\n'.length;
  assert.equal(bytes.toString('latin1', 0, head), 'IDENTIFY\n');
  assert.equal(bytes.readUInt32BE(head), bytes.length - head - 4);
  assert.deepEqual(JSON.parse(bytes.toString('utf8', head + 4)), identity);
});
