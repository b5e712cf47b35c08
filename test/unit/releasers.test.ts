import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Releasers } from '../../src/supervisor/lifecycle/releasers.js';
import { recordingLog } from '../support/recording-log.js';

test('what was acquired last is released first and alone, also when that is asked for twice', async () => {
  const { log, lines } = recordingLog();
  const releasers = new Releasers(log);
  const steps: string[] = [];
  releasers.add('the outputs', () => void steps.push('outputs'));
  releasers.add('what fails', () => {
    throw new Error('no');
  });
  releasers.add('the runs', async () => {
    steps.push('runs end');
    await nextTurn();
    steps.push('runs ended');
  });
  const first = releasers.releaseAll();
  await releasers.releaseAll();
  assert.deepEqual(steps, ['runs end', 'runs ended', 'outputs']);
  await first;
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['could not close what fails properly: no'],
  );
});
