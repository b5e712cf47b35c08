import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { newestPid } from '../../src/workers/runner/limits/newest-process.js';

const skip = existsSync('/proc/loadavg') ? false : 'there is no /proc/loadavg here';

test('every process that is started is the newest one, until the next', { skip }, async (t) => {
  const before = newestPid();
  const pids = [1, 2].map(() => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    t.after(() => child.kill());
    return child.pid ?? 0;
  });
  const now = newestPid() ?? 0;
  assert.notEqual(now, before);
  // Others on the machine may have started some, too.
  assert.notEqual(now, pids[0]);
});
