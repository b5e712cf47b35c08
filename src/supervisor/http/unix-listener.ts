import { once } from 'node:events';
import { chmodSync, lstatSync, mkdtempSync, renameSync, rmSync, type Stats, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { createConnection } from 'node:net';
import { dirname, join } from 'node:path';
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import { counted } from '../../shared/counted.js';

/** For the owner and the group of the agent. */
const SOCKET_MODE = 0o660;

/** The system cuts longer ones off without a word. */
const PATH_BYTES_MAX = 107;

/** Removes a socket file that is still the one that was made. */
export type RemoveSocket = () => void;

/**
 * Starts to listen on a unix socket file that only its owner and group can use, from its first moment: it is made in
 * a folder that is closed to others and moved to its place when its mode is right. A file that an agent left behind is
 * replaced.
 * @throws CodedError `listen` when the path is taken by a living server or by something that is no socket
 */
export async function listenOnUnixSocket(server: Server, path: string): Promise<RemoveSocket> {
  const longest = Math.max(Buffer.byteLength(path), Buffer.byteLength(join(dirname(path), '.XXXXXX', 's')));
  const tooLong = longest - PATH_BYTES_MAX;
  if (tooLong > 0) {
    throw cannotListen(
      path,
      `the path is ${counted(tooLong, 'byte')} too long for a socket; set a shorter [agent] rundir`,
    );
  }
  await assertReplaceable(path);
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(dirname(path), '.'));
    const first = join(folder, 's');
    server.listen(first);
    await once(server, 'listening');
    chmodSync(first, SOCKET_MODE);
    const made = lstatSync(first);
    renameSync(first, path);
    return () => removeIfSame(path, made);
  } catch (thrown) {
    server.close();
    throw cannotListen(path, reasonOf(thrown), thrown);
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

async function assertReplaceable(path: string): Promise<void> {
  const there = stats(path);
  if (there === undefined) return;
  if (!there.isSocket()) {
    throw cannotListen(
      path,
      'there is something that is no socket; move it away, or set another [agent] rundir',
    );
  }
  if (await answers(path)) {
    throw cannotListen(path, 'another agent listens there; stop it first, or set another [agent] rundir');
  }
}

/** False only when surely nobody is behind the socket: it is left over from a process that is gone. */
async function answers(path: string): Promise<boolean> {
  const connection = createConnection(path);
  try {
    await once(connection, 'connect');
    return true;
  } catch (thrown) {
    const code = codeOf(thrown);
    return code !== 'ECONNREFUSED' && code !== 'ENOENT';
  } finally {
    connection.destroy();
  }
}

function removeIfSame(path: string, made: Stats): void {
  const there = stats(path);
  if (there !== undefined && there.ino === made.ino && there.dev === made.dev) unlinkSync(path);
}

function stats(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return undefined;
    throw cannotListen(path, reasonOf(thrown), thrown);
  }
}

function cannotListen(path: string, reason: string, cause?: unknown): CodedError {
  return new CodedError('listen', `cannot listen on ${path}: ${reason}`, { cause });
}
