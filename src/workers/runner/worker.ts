/** The file that the threads of the runner pool execute: takes a lane of the ring, then does tasks. */
import { parentPort, threadId, workerData } from 'node:worker_threads';
import { forwardingLog, type Log } from '../../shared/log.js';
import type { FromRunner, RunnerResult, RunnerSetup, RunnerTask } from '../../shared/messages.js';
import { cLibrary } from '../../shared/native/c-library.js';
import { DescriptorRow } from '../../shared/native/descriptor-ledger.js';
import { isFirstToLog } from '../../shared/notice-times.js';
import { claimLane } from '../../shared/ring/lane-owner.js';
import { LaneWriter } from '../../shared/ring/lane-writer.js';
import { FileHashes } from './file-hashes.js';
import { ownersOf } from './file-owners.js';
import { ProcessLimits } from './limits/process-limits.js';
import { takePost } from './post-task.js';
import { openEngine } from './process-engine.js';
import type { Runner } from './runner.js';
import { workShift } from './shift.js';
import type { ProcessEngine } from './started-process.js';

/** A thread that follows one that died may be up before the dead one's lane is given back. */
const LANE_WAIT_MS = 100;
const LANE_TRIES = 50;

const runner = startRunner(workerData as RunnerSetup);

/** Does a task of the pool. */
export default async function doTask(task: RunnerTask): Promise<RunnerResult> {
  if (task.type === 'post') return takePost(task, runner);
  await workShift(task.port, runner);
  return undefined;
}

function say(message: FromRunner): void {
  parentPort?.postMessage(message);
}

function startRunner(setup: RunnerSetup): Runner {
  const lane = new LaneWriter(setup.ring, waitForLane(setup));
  const log = forwardingLog(setup.logLevel, say);
  const { library } = cLibrary();
  if (library) library.ledger = new DescriptorRow(setup.descriptorLedger, lane.lane);
  const engine = openEngine({
    choice: setup.engine,
    allowSetuid: setup.allowSetuid,
    rightsLost: (reason) => endThread(log, reason),
    fallingBack: (engine, problem) => logFallback(setup, log, engine, problem),
    log,
  });
  const limits = new ProcessLimits(log, (reason) => endThread(log, reason));
  return { setup, lane, engine, log, limits, hashes: new FileHashes(), look: engine.owners ?? ownersOf };
}

function logFallback(setup: RunnerSetup, log: Log, engine: ProcessEngine['name'], problem: string): void {
  if (!isFirstToLog(setup.noticeTimes, 'engine')) return;
  log.warn(
    { part: 'runner', engine },
    `plugins are started by way of ${engine}, which is slower: ${problem}`,
  );
}

/** At once: whatever else this thread did, it would do as somebody else. The pool replaces it. */
function endThread(log: Log, reason: string): never {
  log.error({ part: 'runner' }, `a runner thread ends, as it could not get its own rights back: ${reason}`);
  process.exit(1);
}

/** Blocks the thread meanwhile: it has nothing else to do, and the pool loads this file without waiting for promises. */
function waitForLane({ ring, firstLane }: RunnerSetup): number {
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  for (let attempt = 1; ; attempt += 1) {
    try {
      return claimLane(ring, firstLane, threadId);
    } catch (error) {
      if (attempt === LANE_TRIES) throw error;
      Atomics.wait(nothing, 0, 0, LANE_WAIT_MS);
    }
  }
}
