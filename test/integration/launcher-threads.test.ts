import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import test from 'node:test';
import { Worker } from 'node:worker_threads';

// In a process of its own, in which no other thread has the launcher.
test('runner threads that end one after the other leave no more open than one of them', async () => {
  const opened: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const thread = new Worker(new URL('../support/launcher.js', import.meta.url));
    assert.deepEqual(await once(thread, 'exit'), [0]);
    opened.push(readdirSync('/proc/self/fd').filter(isNothing).length);
  }
  assert.deepEqual(opened, Array(3).fill(opened[0]));
});

function isNothing(descriptor: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`) === '/dev/null';
  } catch {
    // That of the folder, which is closed by now.
    return false;
  }
}
