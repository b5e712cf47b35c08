import { createChildTable } from '../../shared/child-table.js';
import { counted } from '../../shared/counted.js';
import type { Log, LogLine } from '../../shared/log.js';
import type { DrainOutcome } from '../../shared/messages.js';
import { createDescriptorLedger } from '../../shared/native/descriptor-ledger.js';
import { createNoticeTimes } from '../../shared/notice-times.js';
import { LaneWriter } from '../../shared/ring/lane-writer.js';
import { createRing } from '../../shared/ring/layout.js';
import type { Config } from '../config/config.js';
import { NoticeBoard } from '../delivery/notice-board.js';
import { Posts } from '../delivery/posts.js';
import { PublisherThread } from '../delivery/publisher-thread.js';
import { HostThread } from '../host/host-thread.js';
import { RunnerPool } from '../plugins/runner-pool.js';
import type { GoOutput } from './go-output-settings.js';
import { hostSettings } from './host-settings.js';
import { outputSettings, spoolSettings } from './output-settings.js';
import type { Releasers } from './releasers.js';

/** The way of points to the outputs: ring, those who write to it, publisher. */
export interface DeliveryPath {
  /** Children of the runners. */
  readonly childTable: SharedArrayBuffer;
  readonly pool: RunnerPool;
  readonly publisher: PublisherThread;
  readonly posts: Posts;
  /** Measures the host. */
  readonly hostThread: HostThread;
  /** The supervisor's own lane. */
  readonly lane: LaneWriter;
  /** What a stop left behind; nothing before it. */
  readonly remains: () => DrainOutcome;
}

/** The supervisor and the thread that measures the host write these lanes; runners claim those behind them. */
const SUPERVISOR_LANE = 0;
const HOST_LANE = 1;
const FIRST_RUNNER_LANE = 2;

const LANE_BYTES_MIN = 4 * 1024 * 1024;

/** A lane holds at least this many documents of the greatest size. */
const DOCUMENTS_PER_LANE = 4;

/** What a post waits for beyond a server's time to answer: another server takes its points when that one does not. */
const FAILOVER_MS = 5_000;

/** How long a stop waits for the outputs to take what is in the ring; longer for a plugin that may take longer. */
const DRAIN_TIMEOUT_MS = 10_000;

/** Opens the ring and starts the threads on both of its sides. */
export function openDeliveryPath(options: {
  readonly config: Config;
  readonly log: Log;
  readonly version: string;
  readonly host: string;
  readonly releasers: Releasers;
  /** What the publisher thread executes, if not the publisher worker. */
  readonly publisherFile: URL | undefined;
  /** Outputs that are Golang plugins. */
  readonly goOutputs: readonly GoOutput[];
}): DeliveryPath {
  const { config, log, version, host, releasers } = options;
  const { output } = config;
  // Twice the threads: one that ends still has its lane when its successor starts.
  const lanes = FIRST_RUNNER_LANE + 2 * config.runner.threads;
  const ring = createRing(lanes, laneBytes(output.maxmessagesize));
  const common = {
    ring,
    host,
    databasePrefix: output.databaseprefix,
    maxDocumentBytes: output.maxmessagesize,
    logLevel: config.log.loglevel,
  };
  const acceptLine = ({ level, fields, message }: LogLine) => log[level](fields, message);
  const board = new NoticeBoard();
  const publisher = new PublisherThread({
    setup: {
      ring,
      outputs: [...outputSettings(config, { host, version }), ...options.goOutputs],
      spool: spoolSettings(config.spool),
      logLevel: config.log.loglevel,
    },
    log,
    acceptLine,
    onNotices: (notices) => board.post(notices),
    ...(options.publisherFile && { workerFile: options.publisherFile }),
  });
  let remains = NOTHING;
  releasers.add('the publisher', async () => {
    const graces = options.goOutputs.map(({ graceMs }) => graceMs);
    remains = await drain(publisher, Math.max(DRAIN_TIMEOUT_MS, ...graces), log);
  });
  const childTable = createChildTable(lanes);
  const pool = new RunnerPool({
    setup: {
      ...common,
      childTable,
      descriptorLedger: createDescriptorLedger(lanes),
      noticeTimes: createNoticeTimes(),
      firstLane: FIRST_RUNNER_LANE,
      engine: config.runner.engine,
      allowSetuid: config.runner.allowsetuid,
    },
    maxThreads: config.runner.threads,
    maxInputBytes: Math.max(config.runner.maxoutput, config.http.maxbody),
    log,
    acceptLine,
  });
  releasers.add('the runner pool', () => pool.close());
  const hostThread = new HostThread({
    setup: { ...common, lane: HOST_LANE, settings: hostSettings(config) },
    log,
    acceptLine,
  });
  releasers.add('the thread that measures the host', () => hostThread.stop());
  const lane = new LaneWriter(ring, SUPERVISOR_LANE);
  const postSettings = {
    ...common,
    measurementPrefix: config.agent.postprefix,
    deliveryTimeoutMs: output.responsetimeout * 1000 + FAILOVER_MS,
  };
  const posts = new Posts(postSettings, lane, board, pool);
  return { childTable, pool, publisher, posts, hostThread, lane, remains: () => remains };
}

function laneBytes(maxDocumentBytes: number): number {
  return Math.max(LANE_BYTES_MIN, 2 ** Math.ceil(Math.log2(DOCUMENTS_PER_LANE * maxDocumentBytes)));
}

const NOTHING: DrainOutcome = { undeliveredRecords: 0, undeliveredPoints: 0, keptRecords: 0, keptPoints: 0 };

async function drain(publisher: PublisherThread, withinMs: number, log: Log): Promise<DrainOutcome> {
  const outcome = await publisher.drain(withinMs);
  const { undeliveredRecords, undeliveredPoints, keptRecords, keptPoints } = outcome;
  if (keptRecords > 0) {
    log.info(
      { records: keptRecords, points: keptPoints },
      `${counted(keptPoints, 'point waits', 'points wait')} on disk for the next start`,
    );
  }
  if (undeliveredRecords > 0) {
    log.error(
      { records: undeliveredRecords, points: undeliveredPoints },
      `lost ${counted(undeliveredPoints, 'point')} in ${counted(undeliveredRecords, 'document')} ` +
        `that could not be delivered within ${withinMs / 1000} s`,
    );
  }
  return outcome;
}
