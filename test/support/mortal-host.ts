/** A thread in place of the one that measures the host: counts that it has got a plan, and dies. */
import { parentPort, workerData } from 'node:worker_threads';
import { HostCounts, type HostSetup, type ToHost } from '../../src/shared/host-messages.js';

const setup = workerData as HostSetup;
const counts = new HostCounts(setup.counts);

parentPort?.on('message', (message: ToHost) => {
  if (message.type === 'stop') return void parentPort?.close();
  counts.add('CPU', message.plan.namespaces.length);
  throw new Error('the test wants it to die');
});
