import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NoticeBoard } from '../../src/supervisor/delivery/notice-board.js';

test('a notice that comes after the wait began resolves it', async () => {
  const board = new NoticeBoard();
  const verdict = board.wait({ lane: 1, end: 64 }, 30_000);
  board.post([{ lane: 1, end: 64, loss: undefined }]);
  assert.deepEqual(await verdict, { type: 'safe' });
});

test('a notice that was there before the wait began resolves it', async () => {
  const board = new NoticeBoard();
  board.post([{ lane: 2, end: -64, loss: { kind: 'refused', reason: 'topic refused' } }]);
  assert.deepEqual(await board.wait({ lane: 2, end: -64 }, 30_000), {
    type: 'refused',
    reason: 'topic refused',
  });
});

test('the same position of another lane is another record', async () => {
  const board = new NoticeBoard();
  const first = board.wait({ lane: 0, end: 128 }, 30_000);
  const second = board.wait({ lane: 1, end: 128 }, 30_000);
  board.post([{ lane: 1, end: 128, loss: { kind: 'refused', reason: 'no' } }]);
  board.post([{ lane: 0, end: 128, loss: undefined }]);
  assert.deepEqual(await first, { type: 'safe' });
  assert.deepEqual(await second, { type: 'refused', reason: 'no' });
});

test('without a notice in time the record is late', async () => {
  assert.deepEqual(await new NoticeBoard().wait({ lane: 0, end: 16 }, 1), { type: 'late' });
});

test('notices that nobody asks for do not pile up', async () => {
  const board = new NoticeBoard();
  for (let end = 1; end <= 20_000; end += 1) board.post([{ lane: 0, end, loss: undefined }]);
  assert.deepEqual(await board.wait({ lane: 0, end: 20_000 }, 30_000), { type: 'safe' });
  assert.deepEqual(await board.wait({ lane: 0, end: 1 }, 1), { type: 'late' });
});

test('a notice that nobody asked for in time is not taken for that of a later record at its position', async () => {
  const periodMs = 5;
  const board = new NoticeBoard(periodMs);
  board.post([{ lane: 0, end: 16, loss: undefined }]);
  await sleep(3 * periodMs);
  assert.deepEqual(await board.wait({ lane: 0, end: 16 }, 1), { type: 'late' });
});

test('a closed board tells all who wait, and all who come, that it is late', async () => {
  const board = new NoticeBoard();
  const waiting = board.wait({ lane: 0, end: 16 }, 30_000);
  board.post([{ lane: 0, end: 32, loss: undefined }]);
  board.close();
  assert.deepEqual(await waiting, { type: 'late' });
  assert.deepEqual(await board.wait({ lane: 0, end: 48 }, 30_000), { type: 'late' });
  assert.deepEqual(await board.wait({ lane: 0, end: 32 }, 30_000), { type: 'safe' });
});
