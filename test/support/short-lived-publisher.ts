/**
 * The publisher worker as it is, but that it dies after a random time as long as the file `<folder of the spool>.deadly`
 * is there.
 */
import { existsSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import type { PublisherSetup } from '../../src/shared/messages.js';

const LONGEST_LIFE_MS = 700;

const { spool } = workerData as PublisherSetup;
if (!spool) throw new Error('this publisher has a spool');

setTimeout(() => {
  if (existsSync(`${spool.folder}.deadly`)) throw new Error('its time has come');
}, Math.random() * LONGEST_LIFE_MS);

await import('../../src/workers/publisher/worker.js');
