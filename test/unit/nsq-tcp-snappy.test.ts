import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { crc32c, maskedCrc32c } from '../../src/shared/nsq-tcp/crc32c.js';
import { SnappyCodec, snappyChunk } from '../../src/shared/nsq-tcp/snappy-codec.js';
import { MAX_PLAIN_BYTES, SnappyReader, STREAM_IDENTIFIER } from '../../src/shared/nsq-tcp/snappy-frames.js';

/** Everything that the codec sends for these writes. */
function encode(...writes: readonly Buffer[]): Buffer {
  const sent: Buffer[] = [];
  const codec = new SnappyCodec({
    encoded: (bytes) => void sent.push(bytes),
    decoded: () => assert.fail('nothing was received'),
    failed: assert.fail,
  });
  for (const write of writes) codec.encode(write);
  return Buffer.concat(sent);
}

/** What a reader makes of the pieces. */
function readAll(pieces: readonly Buffer[]): { plain: Buffer; bad: string | undefined } {
  const reader = new SnappyReader();
  const plain: Buffer[] = [];
  for (const piece of pieces) {
    const bad = reader.read(piece, (bytes) => plain.push(Buffer.from(bytes)) > 0);
    if (bad !== undefined) return { plain: Buffer.concat(plain), bad };
  }
  return { plain: Buffer.concat(plain), bad: undefined };
}

function cut(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

function chunk(type: number, data: Buffer): Buffer {
  const head = Buffer.from([type, 0, 0, 0]);
  head.writeUIntLE(data.length, 1, 3);
  return Buffer.concat([head, data]);
}

test('CRC-32C gives the sums of RFC 3720', () => {
  const upward = Buffer.from(Array.from({ length: 32 }, (_, at) => at));
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  assert.equal(crc32c(upward), 0x46dd794e);
  assert.equal(crc32c(Buffer.from(upward).reverse()), 0x113fdb5c);
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(0)), 0);
});

test('the masked sum is turned and shifted as the framing says', () => {
  const crc = crc32c(Buffer.from('123456789'));
  const turned = Number((BigInt(crc) >> 15n) | ((BigInt(crc) << 17n) & 0xffffffffn));
  assert.equal(maskedCrc32c(Buffer.from('123456789')), (turned + 0xa282ead8) % 2 ** 32);
});

test('what is written comes out again, whatever its size and content, in whatever pieces it travels', () => {
  for (const size of [
    1,
    63,
    64,
    65,
    1_000,
    MAX_PLAIN_BYTES - 1,
    MAX_PLAIN_BYTES,
    MAX_PLAIN_BYTES + 1,
    300_000,
  ]) {
    for (const content of [Buffer.alloc(size, 'point '), randomBytes(size), Buffer.alloc(size)]) {
      const sent = encode(content, Buffer.from('after'));
      const expected = Buffer.concat([content, Buffer.from('after')]);
      for (const pieceSize of [7, 1_400, 65_536, sent.length]) {
        const { plain, bad } = readAll(cut(sent, pieceSize));
        assert.equal(bad, undefined);
        assert.ok(plain.equals(expected), `${size} bytes in pieces of ${pieceSize}`);
      }
    }
  }
});

test('the stream begins with its identifier, once, and every write is whole', () => {
  const sent = encode(Buffer.from('a'), Buffer.from('b'));
  assert.equal(sent.subarray(0, 10).toString('hex'), 'ff060000734e61507059');
  assert.equal(sent.indexOf('sNaPpY', 10), -1);
  assert.equal(readAll([sent]).plain.toString(), 'ab');
});

test('what can be compressed is, what cannot be goes as it is', () => {
  assert.equal(snappyChunk(Buffer.alloc(10_000, 'abc'))[0], 0);
  assert.ok(snappyChunk(Buffer.alloc(10_000, 'abc')).length < 1_000);
  assert.equal(snappyChunk(randomBytes(10_000))[0], 1);
});

test('padding and chunks of the future that may be skipped are skipped, however large', () => {
  const good = snappyChunk(Buffer.from('good'));
  const large = chunk(0x80, Buffer.alloc(5_000_000, 1));
  const stream = Buffer.concat([
    STREAM_IDENTIFIER,
    chunk(0xfe, Buffer.alloc(0)),
    chunk(0xfe, Buffer.alloc(100)),
    good,
    large,
    chunk(0xfd, Buffer.from('new')),
    STREAM_IDENTIFIER,
    good,
  ]);
  for (const size of [3, 60_000, stream.length]) {
    const { plain, bad } = readAll(cut(stream, size));
    assert.deepEqual([plain.toString(), bad], ['goodgood', undefined]);
  }
});

test('what is no Snappy stream is named', () => {
  const cases: readonly (readonly [Buffer, RegExp])[] = [
    [Buffer.from('HTTP/1.1 400'), /no Snappy stream/],
    [snappyChunk(Buffer.from('no identifier before')), /no Snappy stream/],
    [chunk(0xff, Buffer.from('sNaPpX')), /damaged Snappy stream identifier/],
    [chunk(0xff, Buffer.from('sNaPpY2')), /damaged Snappy stream identifier/],
    [Buffer.concat([STREAM_IDENTIFIER, chunk(0x02, Buffer.alloc(9))]), /unknown type 2/],
    [Buffer.concat([STREAM_IDENTIFIER, chunk(0x7f, Buffer.alloc(9))]), /unknown type 127/],
    [Buffer.concat([STREAM_IDENTIFIER, Buffer.from([0, 0xff, 0xff, 0xff])]), /16777215 bytes/],
    [Buffer.concat([STREAM_IDENTIFIER, Buffer.from([1, 3, 0, 0])]), /3 bytes/],
    [Buffer.concat([STREAM_IDENTIFIER, chunk(1, Buffer.alloc(4 + MAX_PLAIN_BYTES + 1))]), /too much/],
    // Says that it would be 4 GiB.
    [Buffer.concat([STREAM_IDENTIFIER, chunk(0, Buffer.from('00000000ffffffff0f00', 'hex'))]), /damaged/],
  ];
  for (const [bytes, message] of cases) assert.match(readAll([bytes]).bad ?? '', message);
});

test('a bit that was turned on the way is found, wherever it is', () => {
  const content = Buffer.alloc(3_000, 'points and points ');
  const sent = encode(content);
  for (let at = 0; at < sent.length; at++) {
    const damaged = Buffer.from(sent);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
    const { plain, bad } = readAll([damaged]);
    // Without an error nothing came, as a wrong size makes it wait or skip.
    assert.ok(plain.length === 0 || bad !== undefined, `byte ${at}`);
  }
});
