import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameReader, type NotAFrame } from '../../src/shared/nsq-tcp/frames.js';

const MAX = 1_000;

function frame(type: number, data: string): Buffer {
  const bytes = Buffer.alloc(8 + data.length);
  bytes.writeInt32BE(4 + data.length, 0);
  bytes.writeInt32BE(type, 4);
  bytes.write(data, 8, 'latin1');
  return bytes;
}

/** Everything that a reader makes of the chunks. */
function readAll(chunks: readonly Buffer[]): { frames: [number, string][]; bad: NotAFrame | undefined } {
  const reader = new FrameReader(MAX);
  const frames: [number, string][] = [];
  for (const chunk of chunks) {
    const bad = reader.read(chunk, (type, data) => {
      frames.push([type, data.toString('latin1')]);
      return true;
    });
    if (bad !== undefined) return { frames, bad };
  }
  return { frames, bad: undefined };
}

const STREAM = Buffer.concat([
  frame(0, 'OK'),
  frame(0, '_heartbeat_'),
  frame(1, 'E_BAD_TOPIC x'),
  frame(0, ''),
  frame(2, 'm'.repeat(900)),
]);
const FRAMES: [number, string][] = [
  [0, 'OK'],
  [0, '_heartbeat_'],
  [1, 'E_BAD_TOPIC x'],
  [0, ''],
  [2, 'm'.repeat(900)],
];

test('frames are the same in whatever chunks their bytes come', () => {
  for (const size of [1, 2, 3, 5, 7, 8, 9, 64, STREAM.length]) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < STREAM.length; at += size) chunks.push(STREAM.subarray(at, at + size));
    assert.deepEqual(readAll(chunks), { frames: FRAMES, bad: undefined }, `chunks of ${size} bytes`);
  }
});

test('an empty chunk changes nothing', () => {
  const nothing = Buffer.alloc(0);
  assert.deepEqual(readAll([nothing, STREAM.subarray(0, 5), nothing, STREAM.subarray(5)]).frames, FRAMES);
});

test('a reader stops at the frame whose taker says so', () => {
  const seen: string[] = [];
  new FrameReader(MAX).read(STREAM, (_type, data) => {
    seen.push(data.toString());
    return seen.length < 2;
  });
  assert.deepEqual(seen, ['OK', '_heartbeat_']);
});

test('a frame may be as large as the bound and no larger', () => {
  assert.equal(readAll([frame(0, 'x'.repeat(MAX - 4))]).frames.length, 1);
  assert.deepEqual(readAll([frame(0, 'x'.repeat(MAX - 3))]).bad, { kind: 'size', bytes: MAX + 1 });
});

test('an oversized frame is recognised by its size alone, before its data comes', () => {
  assert.deepEqual(readAll([Buffer.from([0x7f, 0xff, 0xff, 0xff])]).bad, {
    kind: 'size',
    bytes: 2 ** 31 - 1,
  });
});

test('sizes that cannot be are no frames', () => {
  for (const size of [-1, 0, 3, -(2 ** 31)]) {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(size);
    assert.deepEqual(readAll([bytes]).bad, { kind: 'size', bytes: size });
  }
});

test('HTTP is recognised by its first four bytes', () => {
  assert.deepEqual(readAll([Buffer.from('HT'), Buffer.from('TP')]).bad, { kind: 'http' });
});

test('the refusal of an nsqlookupd is recognised', () => {
  const refusal = Buffer.concat([Buffer.from([0, 0, 0, 14]), Buffer.from('E_BAD_PROTOCOL')]);
  assert.deepEqual(readAll([refusal]).bad, { kind: 'lookupd' });
});

test('an unknown frame type is no frame', () => {
  assert.deepEqual(readAll([frame(3, 'x')]).bad, { kind: 'type', type: 3 });
  assert.deepEqual(readAll([frame(-1, 'x')]).bad, { kind: 'type', type: -1 });
});
