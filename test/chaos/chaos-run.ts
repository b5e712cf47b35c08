import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Spool } from '../../src/workers/publisher/spool/spool.js';
import { CleanUp } from '../support/clean-up.js';
import { recordingLog } from '../support/recording-log.js';
import { waitUntil } from '../support/wait-until.js';
import { AGENT_WORK, BROKER_WORK, DISK_WORK } from './actions.js';
import { type Answers, PostClients } from './post-clients.js';
import type { Schedule, Step } from './schedule.js';
import { consumeAll, type Stage, setStage } from './stage.js';

/** What came of a schedule; numbers of points if not said otherwise. */
export interface ChaosReport {
  readonly schedule: Schedule;
  /** Posts by the status of their answer. */
  readonly answers: Answers;
  readonly posted: number;
  readonly accepted: number;
  readonly delivered: number;
  readonly duplicates: number;
  readonly lost: readonly number[];
  readonly unknownButDelivered: number;
  /** Points that came again after a restart, when all had been delivered. */
  readonly resent: number;
  /** Accepted, acknowledged by a broker that was never killed, and not there when all was consumed. */
  readonly lostByBrokers: number;
  /** Points that nobody posted, or in the wrong place. */
  readonly strange: number;
  readonly runs: RunCounts;
  /** What the agent's log says of losses and failures. */
  readonly badLines: readonly string[];
  readonly seconds: number;
}

/** Runs of plugins. */
export interface RunCounts {
  readonly accepted: number;
  readonly delivered: number;
  readonly duplicates: number;
  /** `plugin run`. */
  readonly lost: readonly string[];
  /** Not delivered, and nobody was told that they would be: an end of the agent came in between. */
  readonly unknownNotDelivered: number;
}

/** As long as it catches up at all, it may take its time. */
const NO_PROGRESS_GIVE_UP_MS = 120_000;

const QUIET_LOOKS = 10;

const MOST_CATCH_UPS = 5;

/** Plays a schedule with a load all the time, lets the agent catch up, and counts. Everything it started is ended. */
export async function runSchedule(schedule: Schedule, cleanUp = new CleanUp()): Promise<ChaosReport> {
  const startedAt = performance.now();
  try {
    const stage = await setStage(cleanUp, schedule);
    const clients = new PostClients(stage.ledger, stage.agent.socketPath, schedule);
    await playAll(schedule, stage);
    // On a slow machine the whole schedule may be over before the first answer.
    await waitUntil('a post was accepted', () => stage.ledger.accepted > 0);
    await clients.stop();
    await deliverAll(stage);
    const resent = await resentAfterRestart(stage);
    return await reportOf(schedule, stage, { answers: clients.answers, resent, startedAt });
  } finally {
    await cleanUp.run();
  }
}

async function playAll(schedule: Schedule, stage: Stage): Promise<void> {
  const tracks = schedule.brokers.map(async (steps, place) => {
    const broker = stage.brokers[place];
    if (broker) await play(steps, (step) => BROKER_WORK[step.action](broker, step));
  });
  tracks.push(play(schedule.agent, (step) => AGENT_WORK[step.action](stage, step)));
  tracks.push(play(schedule.disk, (step) => DISK_WORK[step.action](stage, step)));
  await Promise.all(tracks);
}

async function play<Action>(
  steps: readonly Step<Action>[],
  work: (step: Step<Action>) => Promise<void>,
): Promise<void> {
  for (const step of steps) {
    await work(step);
    await sleep(step.pauseMs);
  }
}

/** Ends with an agent that was stopped and left nothing on disk. */
async function deliverAll(stage: Stage): Promise<void> {
  const { agent, spoolFolder } = stage;
  for (let tries = 1; tries <= MOST_CATCH_UPS; tries += 1) {
    await untilCaughtUp(stage);
    await agent.stop();
    if ((await recordsIn(join(spoolFolder, 'nsq'))) === 0) return;
    // A stop leaves on disk what it cannot deliver at once, such as what plugins printed last.
    await agent.startAgain();
  }
  throw new Error(`the spool is not empty though the agent said so ${MOST_CATCH_UPS} times`);
}

/** What was delivered and acknowledged must not come again, the next start included. */
async function resentAfterRestart({ agent, acknowledged }: Stage): Promise<number> {
  const before = acknowledged.numbered;
  await agent.startAgain();
  await waitUntil('a plugin has run and its points are delivered', async () => {
    const { deliveredRecords, lagPoints } = await agent.outputStatus();
    return deliveredRecords > 0 && lagPoints === 0;
  });
  await agent.stop();
  agent.noteEnded();
  return acknowledged.numbered - before;
}

async function recordsIn(folder: string): Promise<number> {
  const { log } = recordingLog();
  const spool = await Spool.open({ folder, maxBytes: 2 ** 32, fsync: 'never', log, onDropped: () => {} });
  const { records } = spool.stats();
  await spool.close();
  return records;
}

async function untilCaughtUp({ agent }: Stage): Promise<void> {
  let quietLooks = 0;
  let leastLag = Number.POSITIVE_INFINITY;
  let progressAt = performance.now();
  for (;;) {
    const status = await agent.outputStatus();
    // Right after a start it may not know yet what is on disk.
    quietLooks = status.lagPoints === 0 ? quietLooks + 1 : 0;
    if (quietLooks === QUIET_LOOKS) return;
    if (status.lagPoints < leastLag) {
      leastLag = status.lagPoints;
      progressAt = performance.now();
    }
    if (performance.now() - progressAt > NO_PROGRESS_GIVE_UP_MS) {
      throw new Error(`the agent does not catch up: ${JSON.stringify(status)}`);
    }
    await sleep(50);
  }
}

async function reportOf(
  schedule: Schedule,
  stage: Stage,
  { startedAt, ...known }: Pick<ChaosReport, 'answers' | 'resent'> & { readonly startedAt: number },
): Promise<ChaosReport> {
  const { ledger, acknowledged } = stage;
  const arrivals = schedule.killsBrokers ? acknowledged : await consumeAll(stage);
  const comparison = arrivals.compare();
  return {
    schedule,
    ...known,
    posted: ledger.posted,
    accepted: ledger.accepted,
    ...comparison,
    lostByBrokers: comparison.lost.filter((number) => acknowledged.has(number)).length,
    strange: arrivals.strange,
    runs: compareRuns(stage, (plugin, run) => arrivals.stampTimes(plugin, run)),
    badLines: stage.agent.badLines(),
    seconds: (performance.now() - startedAt) / 1000,
  };
}

function compareRuns({ plugins }: Stage, timesOf: (plugin: string, run: number) => number): RunCounts {
  const counts = { accepted: 0, delivered: 0, duplicates: 0, lost: [] as string[], unknownNotDelivered: 0 };
  for (const { plugin, run, isAccepted } of plugins.runs) {
    const times = timesOf(plugin, run);
    if (isAccepted) counts.accepted += 1;
    if (times > 0) counts.delivered += 1;
    else if (isAccepted) counts.lost.push(`${plugin} ${run}`);
    else counts.unknownNotDelivered += 1;
    counts.duplicates += Math.max(0, times - 1);
  }
  return counts;
}
