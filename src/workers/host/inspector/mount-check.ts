import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { codeOf, reasonOf } from '../../../shared/coded-error.js';
import type { FileSystemUsage, MountAnswer } from '../../../shared/host-messages.js';
import { FILE_SYSTEM_WORD, STRUCT_BYTES } from '../../../shared/native/abi.js';
import { cLibrary } from '../../../shared/native/c-library.js';

/** Space of a mounted file system, and whether files can be used there. Blocks for as long as it does not answer. */
export function checkMount(path: string, readOnly: boolean): MountAnswer {
  let usage: FileSystemUsage | undefined;
  try {
    usage = readUsage(path);
    if (readOnly) readdirSync(path);
    else writeAndReadBack(path);
    return { kind: 'mount', usage, usable: true, problem: undefined };
  } catch (thrown) {
    return { kind: 'mount', usage, usable: false, problem: reasonOf(thrown) };
  }
}

/** Newer versions of Node.js say the unit of the block counts, too. */
type BlockCounts = ReturnType<typeof statfsSync> & { readonly frsize?: number };

function readUsage(path: string): FileSystemUsage {
  const { bsize, frsize, blocks, bfree, bavail, files, ffree }: BlockCounts = statfsSync(path);
  const unit = frsize || fragmentBytes(path) || bsize;
  return {
    totalBytes: blocks * unit,
    freeBytes: bfree * unit,
    availableBytes: bavail * unit,
    inodes: files,
    freeInodes: ffree,
  };
}

/** The unit of the block counts, which is another one than `bsize` on a few file systems; 0 when it is not known. */
function fragmentBytes(path: string): number {
  const { library } = cLibrary();
  const status = new BigUint64Array(STRUCT_BYTES.fileSystemStatus / 8);
  if (library === undefined || library.functions.statvfs(path, status) !== 0) return 0;
  return Number(status[FILE_SYSTEM_WORD.fragmentBytes]);
}

const CONTENT = Buffer.from('written by the agent to see whether it can\n');

/** A new file of a name that nobody can foresee: a link that lies there in wait would be followed otherwise. */
function writeAndReadBack(folder: string): void {
  const file = join(folder, `.agent-check-${randomBytes(8).toString('hex')}`);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  let descriptor: number;
  try {
    descriptor = openSync(file, flags, 0o600);
  } catch (thrown) {
    // An ordinary user may write to few mounts: that says nothing about them, so they count as readable ones do.
    if (process.getuid?.() === 0 || (codeOf(thrown) !== 'EACCES' && codeOf(thrown) !== 'EPERM')) throw thrown;
    readdirSync(folder);
    return;
  }
  try {
    writeSync(descriptor, CONTENT, 0, CONTENT.length, 0);
    const back = Buffer.alloc(CONTENT.length);
    const length = readSync(descriptor, back, 0, back.length, 0);
    if (!back.subarray(0, length).equals(CONTENT))
      throw new Error(`${folder}: what was written reads differently`);
  } finally {
    closeSync(descriptor);
    unlinkSync(file);
  }
}
