import type { RunSettings } from '../../src/supervisor/plugins/run-task.js';
import { NO_LIMITS } from './runner-pool.js';

/** What holds for every run in tests of the supervisor's side. */
export const RUN_SETTINGS: RunSettings = {
  databasePrefix: '',
  host: 'testhost',
  maxTimeoutMs: 60_000,
  graceMs: 1000,
  maxOutputBytes: 1_000_000,
  maxProcesses: 4,
  passedEnvironment: [],
  limits: NO_LIMITS,
};
