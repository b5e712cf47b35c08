import { createHash } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

interface KnownHash {
  readonly identity: string;
  readonly sha256: string;
}

const KNOWN_MAX = 10_000;
const PIECE_BYTES = 256 * 1024;

/**
 * SHA-256 of files, read again only when a file has changed. Inode, size and both times tell: nobody can set the
 * time of the last change (ctime), not even the owner.
 */
export class FileHashes {
  readonly #known = new Map<string, KnownHash>();

  /** The hash of a file that `status` was just taken of; undefined when it changes while it is read. */
  async sha256(path: string, status: BigIntStats): Promise<string | undefined> {
    const identity = identityOf(status);
    const known = this.#known.get(path);
    if (known?.identity === identity) return known.sha256;
    const sha256 = await hashOf(path, identity);
    if (sha256 === undefined) return undefined;
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(path, { identity, sha256 });
    return sha256;
  }
}

function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

async function hashOf(path: string, identity: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const sha256 = await contentHash(file);
    return identityOf(await file.stat({ bigint: true })) === identity ? sha256 : undefined;
  } finally {
    await file.close();
  }
}

async function contentHash(file: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (;;) {
    const { bytesRead } = await file.read(piece, 0, PIECE_BYTES);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(piece.subarray(0, bytesRead));
  }
}
