/**
 * The thread that looks at files which may not answer. It does its jobs one after another with calls that block, as
 * it must be this thread that hangs and not one of the few that all of Node shares, and ends when its port is closed.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import type { InspectorAnswer, InspectorJob, InspectorSetup } from '../../../shared/host-messages.js';
import { findCores } from './core-dumps.js';
import { checkMount } from './mount-check.js';

const { port } = workerData as InspectorSetup;
let isClosed = false;

port.once('close', () => {
  isClosed = true;
});

port.once('message', async (jobs: readonly InspectorJob[]) => {
  port.postMessage('ready');
  for (const job of jobs) {
    // One that hung and is back was given up meanwhile: others have taken over the rest.
    await nextTurn();
    if (isClosed) return;
    port.postMessage(answer(job));
  }
});

function answer(job: InspectorJob): InspectorAnswer {
  return job.kind === 'mount'
    ? checkMount(job.path, job.readOnly)
    : findCores(job.folder, job.newerThanSeconds);
}
