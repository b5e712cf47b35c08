import type { OutputStatus } from '../../src/shared/output-status.js';

/** How an output stands that has nothing to do and has done nothing, but for what a test says. */
export function outputStatus(some: Partial<OutputStatus> = {}): OutputStatus {
  return {
    output: 'nsq',
    name: 'nsq',
    state: 'connected to 127.0.0.1:4150',
    isUp: true,
    lastError: undefined,
    servers: [
      { server: '127.0.0.1:4150', origin: 'set', state: 'connected', failures: 0, lastError: undefined },
    ],
    acceptedRecords: 0,
    acceptedPoints: 0,
    deliveredRecords: 0,
    deliveredPoints: 0,
    retriedRecords: 0,
    spooledRecords: 0,
    spooledPoints: 0,
    setAsidePoints: 0,
    droppedPoints: { full: 0, damaged: 0, 'no-room': 0 },
    memoryPoints: 0,
    diskRecords: 0,
    diskPoints: 0,
    diskBytes: 0,
    lagPoints: 0,
    lagSeconds: 0,
    ...some,
  };
}
