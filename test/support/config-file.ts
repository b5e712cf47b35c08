import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { CodedError } from '../../src/shared/coded-error.js';
import type { HostFacts } from '../../src/supervisor/config/host-facts.js';
import { type LoadedConfig, loadConfig } from '../../src/supervisor/config/load-config.js';
import { temporaryFolder } from './temporary-folder.js';

export const AS_ROOT: HostFacts = { root: true, home: '/root', runtimeFolder: undefined, cores: 8 };
export const AS_USER: HostFacts = {
  root: false,
  home: '/home/eve',
  runtimeFolder: '/run/user/1000',
  cores: 2,
};

/** The one line that a configuration needs. */
export const REGISTRY = 'registryaddr = "http://registry.example.com"';

/** What a configuration is loaded with, besides its text. */
export interface Given {
  readonly environment?: NodeJS.ProcessEnv;
  readonly facts?: HostFacts;
  readonly folder?: string;
}

export function load(test: TestContext, text: string | Buffer, given: Given = {}): LoadedConfig {
  const file = join(given.folder ?? temporaryFolder(test), 'agent.toml');
  writeFileSync(file, text);
  return loadConfig(file, given.environment ?? {}, given.facts ?? AS_USER);
}

/** What is wrong with a configuration, a line each, the folder of the file left out. */
export function problemsOf(test: TestContext, text: string | Buffer, given: Given = {}): string[] {
  try {
    load(test, text, given);
  } catch (error) {
    assert.ok(error instanceof CodedError, String(error));
    assert.equal(error.code, 'config');
    const lines = error.message.replace(/\/\S*?agent\.toml/g, 'agent.toml').split('\n');
    return lines.length > 1 ? lines.slice(1) : lines;
  }
  return [];
}

/** The only problem of a file with these lines below a good `[agent]`, whose own two lines they follow. */
export function problemOf(test: TestContext, lines: string, given: Given = {}): string {
  const found = problemsOf(test, `[agent]\n${REGISTRY}\n${lines}`, given);
  assert.equal(found.length, 1, found.join('\n'));
  return found[0] ?? '';
}
