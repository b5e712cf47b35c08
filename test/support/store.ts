import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { PluginStore, type PluginStoreOptions } from '../../src/supervisor/plugin-store/plugin-store.js';
import type { PluginDefinition } from '../../src/supervisor/registry/plugin-definition.js';
import { gitEnvironment } from './git-repository.js';
import { type RecordedLine, recordingLog } from './recording-log.js';
import { temporaryFolder } from './temporary-folder.js';

export const SCRIPT = '#!/bin/sh\necho "[]"\n';

export interface OpenStore {
  readonly store: PluginStore;
  /** Of all plugins. */
  readonly folder: string;
  /** For repositories and whatever else the test needs. */
  readonly scratch: string;
  readonly lines: RecordedLine[];
}

/** A store in a folder of its own, opened, and closed when the test ends. */
export async function openStore(
  test: Pick<TestContext, 'after'>,
  options: Partial<PluginStoreOptions> = {},
): Promise<OpenStore> {
  let store: PluginStore | undefined;
  // Before the folder goes: what is registered first is called first.
  test.after(() => store?.close());
  const scratch = temporaryFolder(test);
  const folder = options.folder ?? join(scratch, 'plugins');
  const { log, lines } = recordingLog();
  store = new PluginStore({
    allowedProtocols: ['https', 'ssh', 'git', 'file'],
    gitTimeoutMs: 60_000,
    environment: gitEnvironment(),
    log,
    ...options,
    folder,
  });
  await store.open();
  return { store, folder, scratch, lines };
}

/** A plugin of the namespace `shop`, from this address. */
export function pluginFrom(address: string, project = 'check'): PluginDefinition {
  return {
    namespace: 'shop',
    project,
    name: project,
    repo: address,
    address,
    interval: { kind: 'every', seconds: 10 },
    parameters: [],
    mode: 'run',
    format: 'json',
  };
}

/** Everything in a folder, links not followed, `.git` folders left out; sorted. */
export function listing(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === '.git') continue;
    found.push(entry.name);
    if (entry.isDirectory())
      found.push(...listing(join(folder, entry.name)).map((name) => join(entry.name, name)));
  }
  return found.sort();
}

/** Pids of the processes that have this text in their command line. */
export function processesNaming(text: string): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      // Ended meanwhile.
      return false;
    }
  });
}
