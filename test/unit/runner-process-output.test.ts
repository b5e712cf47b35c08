import assert from 'node:assert/strict';
import test from 'node:test';
import { BoundedOutput, endOfText, OutputTail } from '../../src/workers/runner/process-output.js';

const TAIL_BYTES = 16 * 1024;

test('an output is kept up to its bound, and says when something was left out', () => {
  const output = new BoundedOutput(10);
  assert.equal(output.append(Buffer.from('0123')), true);
  assert.equal(output.append(Buffer.from('456789')), true);
  assert.equal(output.append(Buffer.alloc(0)), true);
  assert.equal(output.append(Buffer.from('x')), false);
  assert.equal(output.bytes.toString(), '0123456789');
});

test('a chunk that crosses the bound is cut there', () => {
  const output = new BoundedOutput(5);
  assert.equal(output.append(Buffer.from('0123456789')), false);
  assert.equal(output.bytes.toString(), '01234');
});

test('many chunks of all sizes are put together in order', () => {
  const output = new BoundedOutput(1_000_000);
  const chunks = Array.from({ length: 500 }, (_, n) => Buffer.alloc((n * 37) % 3000, n % 251));
  for (const chunk of chunks) assert.equal(output.append(chunk), true);
  assert.deepEqual(output.bytes, Buffer.concat(chunks));
});

test('the tail is the end of everything, however it was cut into chunks', () => {
  const all = Buffer.from(Array.from({ length: 30_000 }, (_, n) => `${n}\n`).join(''));
  for (const size of [1, 7, 1000, TAIL_BYTES - 1, TAIL_BYTES, TAIL_BYTES + 1, 50_000, all.length]) {
    const tail = new OutputTail();
    for (let at = 0; at < all.length; at += size) tail.append(all.subarray(at, at + size));
    assert.equal(tail.text, all.subarray(-TAIL_BYTES).toString(), `chunks of ${size}`);
  }
});

test('a short output is its own tail', () => {
  const tail = new OutputTail();
  assert.equal(tail.text, '');
  tail.append(Buffer.from('short'));
  assert.equal(tail.text, 'short');
});

test('the end of a text starts with a whole character', () => {
  for (let offset = 0; offset < 4; offset += 1) {
    const text = endOfText(Buffer.from(`${'a'.repeat(offset)}${'😀'.repeat(10_000)}`));
    assert.match(text, /^😀+$/u);
  }
});

test('bytes that are no text are replaced', () => {
  assert.equal(endOfText(Buffer.from([0x61, 0xff, 0x62])), 'a\ufffdb');
});
