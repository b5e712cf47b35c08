/** The entry of the thread that measures the host: connects the meter to the supervisor's messages. */
import { parentPort, workerData } from 'node:worker_threads';
import { type FromHost, HostCounts, type HostSetup, type ToHost } from '../../shared/host-messages.js';
import type { HostTypeName } from '../../shared/host-types.js';
import { forwardingLog } from '../../shared/log.js';
import { LaneWriter } from '../../shared/ring/lane-writer.js';
import { HostMeter } from './host-meter.js';
import type { HostType } from './host-type.js';
import { LIVE_PLACES } from './places.js';

if (!parentPort) throw new Error('the host is measured by a worker thread');

const supervisor = parentPort;
const setup = workerData as HostSetup;
const send = (message: FromHost): void => supervisor.postMessage(message);

const meter = new HostMeter({
  setup,
  types: await Promise.all(setup.settings.collect.map(loadType)),
  places: LIVE_PLACES,
  lane: new LaneWriter(setup.ring, setup.lane),
  counts: new HostCounts(setup.counts),
  startInspector: (port) => supervisor.postMessage({ type: 'inspector', port } satisfies FromHost, [port]),
  log: forwardingLog(setup.logLevel, send),
});

supervisor.on('message', (message: ToHost) => {
  if (message.type === 'plan') return meter.setPlan(message.plan);
  meter.close();
  supervisor.close();
});

/** A type's file is found by its name, and those that are not collected take no memory. */
async function loadType(name: HostTypeName): Promise<HostType<unknown>> {
  const file: { readonly hostType: HostType<unknown> } = await import(`./types/${name.toLowerCase()}.js`);
  return file.hostType;
}
