import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import type { MessagePort } from 'node:worker_threads';
import { Inspections } from '../../src/workers/host/inspections.js';
import { hostType as port } from '../../src/workers/host/types/port.js';
import { listenOnFreePort } from '../support/free-port.js';
import { RecordedHost, RecordedRounds } from '../support/recorded-host.js';

const TIMEOUT_MS = 50;

/** As on a machine that stands still; what is under way in this thread has been begun before. */
async function holdUpThread(): Promise<void> {
  for (let tick = 0; tick < 20; tick += 1) await new Promise<void>((resolve) => process.nextTick(resolve));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4 * TIMEOUT_MS);
}

test('a port that accepts is told so, also by a thread that was held up for longer than the time-out', async (t) => {
  const open = await listenOnFreePort(t, createServer());
  const rounds = new RecordedRounds(port, new RecordedHost(t, 'vm').places);
  const ports = [{ namespace: 'shop', name: 'PORT.a', port: open, connectTimeoutMs: TIMEOUT_MS }];
  const round = rounds.round(60, { plan: { ports } });
  await holdUpThread();
  assert.deepEqual(await round, [{ name: 'PORT.a', value: 1, namespace: 'shop' }]);
});

test('a file system that has answered while the thread was held up is not stuck', async (t) => {
  const answer = { kind: 'mount', usable: true, usage: undefined, problem: undefined } as const;
  let asked: MessagePort | undefined;
  const inspections = new Inspections({
    timeoutMs: TIMEOUT_MS,
    startInspector: (inspector) => {
      asked = inspector;
      inspector.postMessage('ready');
    },
    warn: () => assert.fail('nothing is amiss'),
  });
  t.after(() => {
    inspections.close();
    asked?.close();
  });
  const results = inspections.inspect([{ kind: 'mount', path: '/', readOnly: false }]);
  // From here on it has its time-out to answer.
  await new Promise<void>((resolve) => setImmediate(resolve));
  await holdUpThread();
  asked?.postMessage(answer);
  assert.deepEqual(await results, [answer]);
});
