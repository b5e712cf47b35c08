import { ownIdentity } from '../../src/shared/process-identity.js';
import type { RunRecord } from '../../src/supervisor/lifecycle/run-record.js';

/** What an agent that runs in this process would note in its run folder. */
export function ownRunRecord(change: Partial<RunRecord> = {}): RunRecord {
  return {
    ...ownIdentity(),
    version: '1.2.3',
    configFile: '/etc/agent.toml',
    pluginsdir: '/plugins',
    statedir: '/state',
    logdir: '/log',
    startedAt: '2026-01-02T03:04:05.000Z',
    madeFolders: [],
    ...change,
  };
}
