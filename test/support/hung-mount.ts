import { closeSync, mkdtempSync, openSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import koffi from 'koffi';

const MNT_DETACH = 2;

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
    this.#device = mountUnserved(this.path);
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

function mountUnserved(path: string): number {
  const device = openSync('/dev/fuse', 'r+');
  const mount = koffi
    .load('libc.so.6')
    .func('int mount(const char *, const char *, const char *, unsigned long, const char *)');
  const options = `fd=${device},rootmode=40000,user_id=0,group_id=0`;
  if (mount('agent-test', path, 'fuse.agenttest', 0, options) === 0) return device;
  closeSync(device);
  throw new Error(`could not mount ${path}: error ${koffi.errno()}`);
}

/** The device first: from then on nothing hangs there any more, unmounting included. */
function unmount(path: string, device: number): void {
  closeSync(device);
  koffi.load('libc.so.6').func('int umount2(const char *, int)')(path, MNT_DETACH);
}

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return 'only root can mount';
  const path = mkdtempSync(join(tmpdir(), 'agent-test-mount-'));
  try {
    unmount(path, mountUnserved(path));
    return false;
  } catch (thrown) {
    return String(thrown);
  } finally {
    rmdirSync(path);
  }
}
