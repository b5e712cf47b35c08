import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { newestPid } from '../../src/workers/runner/limits/newest-process.js';
import { waitUntil } from '../support/wait-until.js';

const skip = existsSync('/proc/loadavg') ? false : 'there is no /proc/loadavg here';

test('a process is the newest one until another is started', { skip }, async () => {
  // Others on the machine start processes, too: one of many tries falls between two of theirs.
  const pid = await waitUntil('a process is the newest one', async () => {
    const child = spawn('true', { stdio: 'ignore' });
    const newest = newestPid();
    await once(child, 'exit');
    return newest === child.pid && newest;
  });
  await once(spawn('true', { stdio: 'ignore' }), 'exit');
  assert.notEqual(newestPid(), pid);
});
