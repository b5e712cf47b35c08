import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { createChildTable } from '../../src/shared/child-table.js';
import type { LogLine } from '../../src/shared/log.js';
import {
  ENGINE_CHOICES,
  type FromRunner,
  type PluginUser,
  type PostOutcome,
  type PostTask,
  type RunnerResult,
  type RunnerSetup,
  type RunnerTask,
  type RunOutcome,
  type RunsEnded,
  type RunTask,
  type ToShift,
} from '../../src/shared/messages.js';
import { createDescriptorLedger } from '../../src/shared/native/descriptor-ledger.js';
import { createNoticeTimes } from '../../src/shared/notice-times.js';
import type { PluginLimits } from '../../src/shared/plugin-limits.js';
import { LaneReader } from '../../src/shared/ring/lane-reader.js';
import { createRing } from '../../src/shared/ring/layout.js';

/** A point as it stands in a document. */
export interface SentPoint {
  readonly measurement: string;
  readonly timestamp: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, number | boolean | string>>;
}

export interface SentRecord {
  readonly lane: number;
  readonly end: number;
  readonly namespace: string;
  readonly awaited: boolean;
  readonly bytes: number;
  readonly database: string;
  readonly points: readonly SentPoint[];
}

/** A pool of real runner workers with a real ring, whose reader is the test. */
export interface RunnerPool {
  readonly setup: RunnerSetup;
  readonly pool: Piscina;
  readonly logs: readonly LogLine[];
  run(task: Partial<RunTask> & Pick<RunTask, 'folder'>): Promise<RunOutcome>;
  post(body: string | Uint8Array, task?: Partial<PostTask>): Promise<PostOutcome>;
  /** Reads and settles what is in the ring. */
  takeRecords(): SentRecord[];
  /** The same, the points of all records one behind the other. */
  takePoints(): SentPoint[];
}

/** Lanes below belong to others, as in the agent. */
const FIRST_LANE = 1;

/** Root runs plugins as somebody else; everybody else as themselves. */
export const PLUGIN_USER: PluginUser | undefined =
  process.getuid?.() === 0
    ? { name: 'nobody', uid: 65534, gid: 65534, groups: [], home: '/nonexistent' }
    : undefined;

const WORKER = fileURLToPath(new URL('../../src/workers/runner/worker.js', import.meta.url));

export function runnerPool(
  test: Pick<TestContext, 'after'>,
  options: {
    threads?: number;
    laneBytes?: number;
    maxDocumentBytes?: number;
    workerFile?: URL;
    allowSetuid?: boolean;
  } = {},
): RunnerPool {
  const { threads = 1, laneBytes = 4 * 1024 * 1024, maxDocumentBytes = 300_000 } = options;
  const lanes = FIRST_LANE + threads;
  const setup: RunnerSetup = {
    ring: createRing(lanes, laneBytes),
    childTable: createChildTable(lanes),
    descriptorLedger: createDescriptorLedger(lanes),
    noticeTimes: createNoticeTimes(),
    engine: ENGINE_CHOICES.find((name) => name === process.env.AGENT_RUNNER_ENGINE) ?? 'auto',
    allowSetuid: options.allowSetuid === true,
    firstLane: FIRST_LANE,
    host: 'testhost',
    databasePrefix: 'collect.',
    maxDocumentBytes,
    logLevel: 'debug',
  };
  const pool = new Piscina<RunnerTask, RunnerResult>({
    filename: options.workerFile ? fileURLToPath(options.workerFile) : WORKER,
    workerData: setup,
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 4096,
    atomics: 'disabled',
    trackUnmanagedFds: false,
  });
  const logs: LogLine[] = [];
  let lastRunId = 0;
  pool.on('message', (message: FromRunner) => logs.push(message));
  test.after(() => pool.destroy());
  const readers = Array.from({ length: lanes }, (_, lane) => new LaneReader(setup.ring, lane));
  const takeRecords = (): SentRecord[] => readers.flatMap(takeFrom);
  return {
    setup,
    pool,
    logs,
    takeRecords,
    takePoints: () => takeRecords().flatMap((record) => record.points),
    run: async (task) => {
      lastRunId += 1;
      const run = runTask({ runId: lastRunId, ...task });
      const outcome = await runInShift(pool, run);
      // What was logged before comes by another way than the end of the run.
      await nextTurn();
      return outcome;
    },
    post: async (body, task = {}) => {
      const bytes = Uint8Array.from(typeof body === 'string' ? Buffer.from(body) : body);
      const outcome = await pool.run(
        { ...POST_DEFAULTS, body: bytes, ...task },
        { transferList: [bytes.buffer] },
      );
      if (outcome === undefined) throw new Error("a post's outcome is that of a shift");
      return outcome;
    },
  };
}

/** Nothing is bounded. */
export const NO_LIMITS: PluginLimits = {
  cpuseconds: 0,
  addressspace: 0,
  openfiles: 0,
  filesize: 0,
  processes: 0,
  nice: 0,
  memory: 0,
  cpus: 0,
};

const RUN_DEFAULTS = {
  runId: 1,
  namespace: 'web.front',
  pluginName: 'cpu',
  repo: 'https://git.example/monitor/cpu.git',
  trigger: 'regular',
  parameters: [],
  environment: { PATH: process.env.PATH ?? '/usr/bin:/bin' },
  user: PLUGIN_USER,
  limits: NO_LIMITS,
  cgroup: undefined,
  timeoutMs: 20_000,
  graceMs: 200,
  maxOutputBytes: 8 * 1024 * 1024,
  format: 'json',
  anyOutput: false,
} as const;

/** As the store lays it out: the state folder is beside the version's folder, in one of the agent's. */
function placeDefaults(folder: string): Pick<RunTask, 'trust' | 'stateFolder'> {
  const commit = '0'.repeat(40);
  return {
    trust: { storeFolder: folder, commit, fetchedSha256: undefined, pin: undefined },
    stateFolder: join(dirname(folder), 'state'),
  };
}

/** A run of the plugin in that folder, as the pool is given it. */
export function runTask(task: Partial<RunTask> & Pick<RunTask, 'folder'>): RunTask {
  return { ...RUN_DEFAULTS, ...placeDefaults(task.folder), ...task };
}

const POST_DEFAULTS = {
  type: 'post',
  namespace: 'web.front',
  measurementPrefix: '',
  roomTimeoutMs: 10_000,
} as const;

/** Rejects when the worker dies. */
async function runInShift(pool: Piscina<RunnerTask, RunnerResult>, run: RunTask): Promise<RunOutcome> {
  const { port1, port2 } = new MessageChannel();
  const ended: RunsEnded[] = [];
  const say = (message: ToShift) => port1.postMessage(message);
  port1.on('message', (message: RunsEnded) => {
    ended.push(message);
    say({ type: 'end' });
  });
  say({ type: 'runs', forgotten: [], plans: [], runs: [run] });
  await pool.run({ type: 'shift', port: port2 }, { transferList: [port2] });
  const end = ended[0]?.ended[0];
  if (end === undefined) throw new Error('the end of a run was not told');
  if ('problem' in end) throw new Error(`a run could not be done: ${end.problem}`);
  assert.ok('stdoutEnd' in end.outcome, 'somebody waits for it');
  return end.outcome;
}

function takeFrom(reader: LaneReader): SentRecord[] {
  const records: SentRecord[] = [];
  for (let record = reader.read(); record !== undefined; record = reader.read()) {
    const { lane, end, namespace, awaited, document } = record;
    const { database, points } = JSON.parse(document.toString('utf8'));
    records.push({ lane, end, namespace, awaited, bytes: document.length, database, points });
    reader.settle(end);
  }
  return records;
}
