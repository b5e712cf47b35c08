import { closeSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { detachFuse, mountFuse } from './fuse-device.js';

/** Why no file system that hangs can be made here; false when it can. */
export const NO_HUNG_MOUNT: string | false = whyNot();

/**
 * A mounted file system that never answers: FUSE without anybody who serves it. Whoever looks at it hangs until the
 * end of the test, or `answer`.
 */
export class HungMount {
  readonly path: string;
  #device: number | undefined;

  constructor(test: Pick<TestContext, 'after'>, name = 'hung') {
    this.path = mkdtempSync(join(tmpdir(), `agent-test-${name}-`));
    this.#device = mountFuse(this.path);
    test.after(() => {
      this.answer();
      rmdirSync(this.path);
    });
  }

  /** Those who hang get an error, and the mount is gone. */
  answer(): void {
    if (this.#device === undefined) return;
    unmount(this.path, this.#device);
    this.#device = undefined;
  }
}

/** The device first: from then on nothing hangs there any more, unmounting included. */
function unmount(path: string, device: number): void {
  closeSync(device);
  detachFuse(path);
}

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return 'only root can mount';
  const path = mkdtempSync(join(tmpdir(), 'agent-test-mount-'));
  try {
    unmount(path, mountFuse(path));
    return false;
  } catch (thrown) {
    return String(thrown);
  } finally {
    rmdirSync(path);
  }
}
