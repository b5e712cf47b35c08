import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Due, DueHeap } from '../../src/supervisor/schedule/due-heap.js';

describe('heap of due plugins', () => {
  it('gives the earliest first, and of equal ones the one added first', () => {
    const heap = new DueHeap<string>();
    for (const [dueMs, value] of [
      [3, 'c'],
      [1, 'a'],
      [2, 'b1'],
      [2, 'b2'],
      [2, 'b3'],
    ] as const)
      heap.add(dueMs, value);
    const taken: string[] = [];
    for (let due = heap.takeDue(9); due !== undefined; due = heap.takeDue(9)) taken.push(due.value);
    assert.deepEqual(taken, ['a', 'b1', 'b2', 'b3', 'c']);
  });

  it('gives nothing before its time and nothing that was cancelled', () => {
    const heap = new DueHeap<string>();
    const first = heap.add(5, 'first');
    heap.add(6, 'second');
    assert.equal(heap.takeDue(4), undefined);
    heap.cancel(first);
    heap.cancel(first);
    assert.equal(heap.peek()?.value, 'second');
    assert.equal(heap.takeDue(6)?.value, 'second');
    assert.equal(heap.takeDue(6), undefined);
  });

  it('does not grow by plugins that are changed again and again', () => {
    const heap = new DueHeap<number>();
    let live: Due<number>[] = [];
    for (let index = 0; index < 1000; index += 1) live.push(heap.add(index, index));
    for (let round = 0; round < 50; round += 1) {
      live = live.map((due) => {
        heap.cancel(due);
        return heap.add(due.dueMs + 1000, due.value);
      });
    }
    assert.ok(heap.places <= 2100, `${heap.places} places for 1000 plugins`);
  });
});
