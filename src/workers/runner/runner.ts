import type { Log } from '../../shared/log.js';
import type { RunnerSetup } from '../../shared/messages.js';
import type { LaneWriter } from '../../shared/ring/lane-writer.js';
import type { FileHashes } from './file-hashes.js';
import type { OwnersOf } from './file-owners.js';
import type { ProcessLimits } from './limits/process-limits.js';
import type { ProcessEngine } from './started-process.js';

/** What the runs of a worker share. */
export interface Runner {
  readonly setup: RunnerSetup;
  /** The worker's lane of the ring; its number is also the worker's row of the child table. */
  readonly lane: LaneWriter;
  /** How it starts plugins. */
  readonly engine: ProcessEngine;
  readonly log: Log;
  readonly hashes: FileHashes;
  /** Tells whose files are. */
  readonly look: OwnersOf;
  readonly limits: ProcessLimits;
}
