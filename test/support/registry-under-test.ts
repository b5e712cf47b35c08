import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Registry, type RegistryOptions } from '../../src/supervisor/registry/registry.js';
import { StateFolder } from '../../src/supervisor/state/state-folder.js';
import { type RecordedLine, recordingLog } from './recording-log.js';
import { temporaryFolder } from './temporary-folder.js';

export interface RegistryUnderTest {
  readonly registry: Registry;
  readonly lines: readonly RecordedLine[];
  readonly stateFolder: string;
}

/** A registry client with a state folder of its own, or with the one of `change.stateFolder`. */
export function openRegistry(
  test: Pick<TestContext, 'after'>,
  address: string,
  change: Partial<Omit<RegistryOptions, 'state' | 'log'>> & { readonly stateFolder?: string } = {},
): RegistryUnderTest {
  const { log, lines } = recordingLog();
  const { stateFolder = join(temporaryFolder(test), 'state'), ...options } = change;
  const registry = new Registry({
    address,
    authorityFile: '',
    timeoutMs: 30_000,
    gitTemplate: '',
    gitProtocols: ['https', 'ssh', 'git'],
    topicPrefix: 'collect.',
    state: new StateFolder(stateFolder, log),
    identity: () => ({ hostname: 'web-1', addresses: ['10.0.0.5', 'fd00::1'], serial: 'VM-1' }),
    build: {
      version: '1.0.0',
      commit: 'c0ffee',
      branch: 'main',
      buildTime: '2026-01-01',
      agentType: 'agent',
    },
    log,
    ...options,
  });
  test.after(() => registry.close());
  return { registry, lines, stateFolder };
}

/** An item that the registry would send for a plugin. */
export function pluginItem(project: string, change: object = {}): object {
  return {
    _id: '1',
    measurement_type: 'PLUGIN',
    name: `PLUGIN.${project}`,
    git: `git@git.example.com:monitor/${project}.git`,
    interval: '10',
    parameters: '',
    comment: '',
    ...change,
  };
}
