import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A disk that can be filled. */
export interface SmallDisk {
  /** A folder on it. */
  readonly folder: string;
  /** How often it has been filled. */
  readonly fillings: number;
  /** True when there is little room, be it for `fill` or not. */
  readonly isTight: boolean;
  /** Takes all room but some bytes. */
  fill(freeBytes: number): void;
  /** Gives the room back. */
  free(): void;
}

const TIGHT_BYTES = 16 * 1024 * 1024;

/** Mounts a small disk in memory until the test ends; undefined where that is not allowed. */
export function mountSmallDisk(test: Pick<TestContext, 'after'>, bytes: number): SmallDisk | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const mountPoint = mkdtempSync(join(tmpdir(), 'agent-test-'));
  chmodSync(mountPoint, 0o755);
  try {
    const options = `size=${bytes},mode=0755`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'agent-test', mountPoint], { stdio: 'pipe' });
  } catch {
    // Containers may forbid it, even to root.
    rmSync(mountPoint, { recursive: true });
    return undefined;
  }
  test.after(() => {
    // Lazily: whoever has files open there may be ended by a later hook.
    execFileSync('umount', ['--lazy', mountPoint], { stdio: 'pipe' });
    rmSync(mountPoint, { recursive: true });
  });
  const folder = join(mountPoint, 'folder');
  mkdirSync(folder);
  const filling = join(mountPoint, 'filling');
  let isFilled = false;
  let fillings = 0;
  return {
    folder,
    get fillings() {
      return fillings;
    },
    get isTight() {
      return isFilled || freeBytesOf(mountPoint) < TIGHT_BYTES;
    },
    fill: (freeBytes) => {
      if (!isFilled) fillings += 1;
      isFilled = true;
      fillUp(filling, mountPoint, freeBytes);
    },
    free: () => {
      rmSync(filling, { force: true });
      isFilled = false;
    },
  };
}

function freeBytesOf(mountPoint: string): number {
  const { bavail, bsize } = statfsSync(mountPoint);
  return bavail * bsize;
}

/** Somebody else may be writing at the same time. */
function fillUp(file: string, mountPoint: string, freeBytes: number): void {
  const descriptor = openSync(file, 'a');
  try {
    for (;;) {
      const bytes = Math.min(freeBytesOf(mountPoint) - freeBytes, 1024 * 1024);
      if (bytes <= 0) return;
      writeSync(descriptor, Buffer.alloc(bytes));
    }
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOSPC')) throw thrown;
  } finally {
    closeSync(descriptor);
  }
}
