import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineSplitter } from '../../src/workers/runner/line-splitter.js';

/** What comes of chunks: complete lines of each, with a `!` for each line that was too long, and the last one. */
function split(maxBytes: number, ...chunks: string[]): string[] {
  const splitter = new LineSplitter(maxBytes);
  const taken = chunks.map((chunk) => {
    const bytes = Buffer.from(chunk);
    const { bytes: lines, tooLong } = splitter.take(bytes);
    const text = lines.toString() + '!'.repeat(tooLong);
    // Its memory belongs to the next chunk.
    bytes.fill('?');
    return text;
  });
  return [...taken, splitter.finish().toString()];
}

test('lines come when they are complete, the last one at the end', () => {
  assert.deepEqual(split(100, 'a\nb\nc', 'd', '\n', '\ne'), ['a\nb\n', '', 'cd\n', '\n', 'e']);
  assert.deepEqual(split(100, ''), ['', '']);
});

test('a line that is too long is left out once, wherever its pieces end, and the next one is whole', () => {
  assert.deepEqual(split(5, 'good\n123', '456', '789\nnext\nla', 'st'), [
    'good\n',
    '!',
    'next\n',
    '',
    'last',
  ]);
  assert.deepEqual(split(5, '123456', '\n', 'a\n'), ['!', '', 'a\n', '']);
  assert.deepEqual(split(5, '123456', '7'), ['!', '', '']);
});

test('every way to cut a text gives the same lines', () => {
  const text = 'one\n\ntwo 2\r\nä€😀\nlast';
  const bytes = Buffer.from(text);
  for (let first = 0; first <= bytes.length; first += 1) {
    for (let second = first; second <= bytes.length; second += 1) {
      const splitter = new LineSplitter(100);
      const cuts = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
      const lines = cuts.map((cut) => splitter.take(cut).bytes);
      for (const part of lines) assert.ok(part.length === 0 || part.at(-1) === 0x0a);
      assert.equal(Buffer.concat([...lines, splitter.finish()]).toString(), text);
    }
  }
});
