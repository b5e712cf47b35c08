import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { codeOf } from '../../src/shared/coded-error.js';
import { waitUntil } from './wait-until.js';

/** A folder that is there until the test ends. Readable by other users, as plugins may run as one. */
export function temporaryFolder(test: Pick<TestContext, 'after'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'agent-test-'));
  chmodSync(folder, 0o755);
  test.after(() => removeFolder(folder));
  return folder;
}

/** Removes a folder that what was killed may have left somebody to write to: a git, a plugin, for a moment longer. */
export async function removeFolder(folder: string): Promise<void> {
  await waitUntil(`nobody writes to ${folder}`, () => {
    try {
      rmSync(folder, { recursive: true, force: true });
      return true;
    } catch (thrown) {
      if (codeOf(thrown) !== 'ENOTEMPTY') throw thrown;
      return false;
    }
  });
}
