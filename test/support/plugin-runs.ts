import type { TestContext } from 'node:test';
import { createChildTable } from '../../src/shared/child-table.js';
import { createDescriptorLedger } from '../../src/shared/native/descriptor-ledger.js';
import { createNoticeTimes } from '../../src/shared/notice-times.js';
import { LaneWriter } from '../../src/shared/ring/lane-writer.js';
import { createRing } from '../../src/shared/ring/layout.js';
import type { PluginStore } from '../../src/supervisor/plugin-store/plugin-store.js';
import { PluginRuns } from '../../src/supervisor/plugins/plugin-runs.js';
import type { RunSettings } from '../../src/supervisor/plugins/run-task.js';
import { RunnerPool } from '../../src/supervisor/plugins/runner-pool.js';
import { type RecordedLine, recordingLog } from './recording-log.js';
import { RUN_SETTINGS } from './run-settings.js';
import { PLUGIN_USER } from './runner-pool.js';

/** Of the one runner at a time that there is. */
export const RUNNER_LANE = 1;
/** The supervisor's, the runner's, and one for a successor that comes before that has left its own. */
export const LANES = 3;

export interface PluginRunsUnderTest {
  readonly runs: PluginRuns;
  readonly ring: SharedArrayBuffer;
  readonly childTable: SharedArrayBuffer;
  readonly lines: readonly RecordedLine[];
}

/** The supervisor's side of plugin runs with a real pool of one runner, as the agent puts them together. */
export function pluginRuns(
  test: Pick<TestContext, 'after'>,
  store: PluginStore,
  settings: Partial<RunSettings> = {},
): PluginRunsUnderTest {
  const ring = createRing(LANES, 1024 * 1024);
  const childTable = createChildTable(LANES);
  const { log, lines } = recordingLog();
  const pool = new RunnerPool({
    setup: {
      ring,
      childTable,
      descriptorLedger: createDescriptorLedger(LANES),
      noticeTimes: createNoticeTimes(),
      engine: 'auto',
      allowSetuid: false,
      firstLane: RUNNER_LANE,
      host: 'testhost',
      databasePrefix: '',
      maxDocumentBytes: 300_000,
      logLevel: 'debug',
    },
    maxThreads: 1,
    maxInputBytes: 1_000_000,
    log,
    acceptLine: () => undefined,
  });
  test.after(() => pool.close());
  const runs = new PluginRuns({
    settings: { ...RUN_SETTINGS, ...settings },
    pool,
    store,
    lane: new LaneWriter(ring, 0),
    runAs: () => ({ user: PLUGIN_USER }),
    cgroups: undefined,
    log,
  });
  return { runs, ring, childTable, lines };
}
