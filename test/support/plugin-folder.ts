import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryFolder } from './temporary-folder.js';

/** A folder with an executable `plugin` of the given content, as the plugin store lays it out. */
export function pluginFolder(
  test: Pick<TestContext, 'after'>,
  content: string | Uint8Array,
  mode = 0o755,
): string {
  const folder = join(temporaryFolder(test), 'project');
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  const file = join(folder, 'plugin');
  writeFileSync(file, content);
  chmodSync(file, mode);
  return folder;
}

/** The same with a shell script that has the given lines. */
export function shellPlugin(test: Pick<TestContext, 'after'>, ...lines: readonly string[]): string {
  return pluginFolder(test, ['#!/bin/sh', ...lines, ''].join('\n'));
}
