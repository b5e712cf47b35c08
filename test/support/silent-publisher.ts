/** A publisher worker that answers nobody who asks how it stands, as one that is stuck; a drain ends it. */
import { parentPort } from 'node:worker_threads';
import type { FromPublisher, ToPublisher } from '../../src/shared/messages.js';

parentPort?.on('message', ({ type }: ToPublisher) => {
  if (type !== 'drain') return;
  const drained: FromPublisher = {
    type: 'drained',
    undeliveredRecords: 0,
    undeliveredPoints: 0,
    keptRecords: 0,
    keptPoints: 0,
  };
  parentPort?.postMessage(drained);
});
