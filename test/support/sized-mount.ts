import { closeSync, mkdtempSync, read, rmdirSync, writeSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { detachFuse, mountFuse } from './fuse-device.js';

/** What statvfs(3) says of a file system; counts are in fragments. */
export interface FileSystemSize {
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly availableBlocks: number;
  readonly blockBytes: number;
  readonly fragmentBytes: number;
}

/** Requests of FUSE, by their numbers in <linux/fuse.h>. */
const OPERATION = { forget: 2, statfs: 17, init: 26, interrupt: 36, batchForget: 42 } as const;
const UNANSWERED: readonly number[] = [OPERATION.forget, OPERATION.interrupt, OPERATION.batchForget];
const REQUEST_BYTES_MAX = 256 * 1024;

/** Mounts a file system of that size, in which there are no files, until the end of the test. For root only. */
export function sizedMount(test: Pick<TestContext, 'after'>, size: FileSystemSize): string {
  const path = mkdtempSync(join(tmpdir(), 'agent-test-sized-'));
  const device = mountFuse(path);
  const served = serve(device, size);
  test.after(async () => {
    detachFuse(path);
    await served;
    closeSync(device);
    rmdirSync(path);
  });
  return path;
}

/** Resolves when it is unmounted. The calling thread must not use the file system itself. */
async function serve(device: number, size: FileSystemSize): Promise<void> {
  const request = Buffer.alloc(REQUEST_BYTES_MAX);
  for (;;) {
    try {
      await promisify(read)(device, request, 0, request.length, null);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENODEV') return;
      throw thrown;
    }
    const operation = request.readUInt32LE(4);
    if (UNANSWERED.includes(operation)) continue;
    writeSync(device, answer(request.readBigUInt64LE(8), content(operation, size)));
  }
}

function content(operation: number, size: FileSystemSize): Buffer | undefined {
  if (operation === OPERATION.init) return initContent();
  return operation === OPERATION.statfs ? statfsContent(size) : undefined;
}

/** `struct fuse_out_header`, and what follows; without a content it is the error that nothing is there. */
function answer(id: bigint, body: Buffer | undefined): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(header.length + (body?.length ?? 0), 0);
  header.writeInt32LE(body ? 0 : -constants.errno.ENOENT, 4);
  header.writeBigUInt64LE(id, 8);
  return Buffer.concat([header, body ?? Buffer.alloc(0)]);
}

/** `struct fuse_init_out` of version 7.31. */
function initContent(): Buffer {
  const body = Buffer.alloc(64);
  body.writeUInt32LE(7, 0);
  body.writeUInt32LE(31, 4);
  body.writeUInt32LE(4096, 20);
  return body;
}

/** `struct fuse_kstatfs`. */
function statfsContent(size: FileSystemSize): Buffer {
  const body = Buffer.alloc(80);
  body.writeBigUInt64LE(BigInt(size.blocks), 0);
  body.writeBigUInt64LE(BigInt(size.freeBlocks), 8);
  body.writeBigUInt64LE(BigInt(size.availableBlocks), 16);
  body.writeUInt32LE(size.blockBytes, 40);
  body.writeUInt32LE(255, 44);
  body.writeUInt32LE(size.fragmentBytes, 48);
  return body;
}
