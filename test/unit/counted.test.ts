import assert from 'node:assert/strict';
import test from 'node:test';
import { counted } from '../../src/shared/counted.js';

test('one is one, and everything else is many', () => {
  assert.equal(counted(1, 'point'), '1 point');
  assert.equal(counted(0, 'point'), '0 points');
  assert.equal(counted(7, 'point'), '7 points');
  assert.equal(counted(1, 'process', 'processes'), '1 process');
  assert.equal(counted(2, 'point waits', 'points wait'), '2 points wait');
});
