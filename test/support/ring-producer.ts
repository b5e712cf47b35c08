/** A thread that writes the records of a lane; says `done` at the end. */
import { parentPort, workerData } from 'node:worker_threads';
import { LaneWriter } from '../../src/shared/ring/lane-writer.js';
import { type ProducerSetup, trafficRecord } from './ring-traffic.js';

const setup = workerData as ProducerSetup;

// Waiting for room does not keep a thread alive by itself.
parentPort?.on('message', () => {});
if (setup.hangsBeforePublishing) hangAtNextStore();
const writer = new LaneWriter(setup.ring, setup.lane);
for (let n = setup.first; n < setup.end; n += 1) {
  await writer.write(trafficRecord(setup.lane, n, setup), () => false);
}
parentPort?.postMessage('done');
parentPort?.close();

/** The store that publishes a record is the only one that a writer makes. */
function hangAtNextStore(): void {
  Atomics.store = () => {
    parentPort?.postMessage('unpublished');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    throw new Error('nobody wakes this thread');
  };
}
