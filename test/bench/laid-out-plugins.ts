/** Thousands of plugins that the agent finds on disk: as many clones would take longer than what is measured. */
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RegistryItem } from '../support/agent-process.js';

const NAMESPACES = 10;
const COMMIT = '5'.repeat(40);
const VERSION = `${COMMIT.slice(0, 12)}-00000000`;

/** Puts plugins where an agent of this folder looks for those of an earlier life, each with the same program. */
export function layOutPlugins(folder: string, count: number, program: string | Buffer): void {
  const sha256 = createHash('sha256').update(program).digest('hex');
  for (let index = 0; index < count; index += 1) {
    const namespaceFolder = join(folder, 'plugins', namespaceOf(index));
    const versionFolder = join(namespaceFolder, `.p${index}`, VERSION);
    mkdirSync(join(versionFolder, '.git'), { recursive: true });
    writeFileSync(join(versionFolder, 'plugin'), program, { mode: 0o755 });
    const version = { commit: COMMIT, address: addressOf(index), sha256 };
    writeFileSync(join(versionFolder, '.git', 'agent-version.json'), JSON.stringify(version));
    symlinkSync(join(`.p${index}`, VERSION), join(namespaceFolder, `p${index}`));
  }
}

/** The registry that names them. @param interval in seconds */
export function registryOf(count: number, interval: number): Record<string, RegistryItem[]> {
  const registry: Record<string, RegistryItem[]> = {};
  for (let index = 0; index < count; index += 1) {
    const items = registry[namespaceOf(index)] ?? [];
    registry[namespaceOf(index)] = items;
    items.push({
      measurement_type: 'PLUGIN',
      name: `PLUGIN.p${index}`,
      git: addressOf(index),
      interval: String(interval),
    });
  }
  return registry;
}

function namespaceOf(index: number): string {
  return `n${index % NAMESPACES}.bench`;
}

function addressOf(index: number): string {
  return `https://git.invalid/bench/p${index}.git`;
}
