import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type StopRequest, watchForStop } from '../../src/supervisor/cli/stop-request.js';
import { waitUntil } from '../support/wait-until.js';

test('the first signal asks for a stop, an echo of it does not count, a later one is the second', async (context) => {
  let nowMs = 0;
  const further: StopRequest[] = [];
  const watch = watchForStop(
    ['SIGIO', 'SIGWINCH'],
    (request) => further.push(request),
    () => nowMs,
  );
  context.after(() => watch.close());
  process.kill(process.pid, 'SIGIO');
  let first: StopRequest | undefined;
  void watch.asked.then((request) => {
    first = request;
  });
  assert.deepEqual(await waitUntil('it is asked', () => first), { kind: 'signal', signal: 'SIGIO' });

  let echoes = 0;
  const countEcho = () => {
    echoes += 1;
  };
  process.on('SIGIO', countEcho);
  context.after(() => process.off('SIGIO', countEcho));
  nowMs = 900;
  process.kill(process.pid, 'SIGIO');
  await waitUntil('the echo has arrived', () => echoes === 1);
  assert.deepEqual(further, []);

  nowMs = 1_100;
  process.kill(process.pid, 'SIGWINCH');
  await waitUntil('the second request has arrived', () => further.length > 0);
  assert.deepEqual(further, [{ kind: 'signal', signal: 'SIGWINCH' }]);
});

test('a watch that was closed leaves no handlers behind', () => {
  const before = process.listenerCount('uncaughtException');
  const watch = watchForStop(['SIGIO'], () => {});
  watch.close();
  assert.equal(process.listenerCount('SIGIO'), 0);
  assert.equal(process.listenerCount('uncaughtException'), before);
});
