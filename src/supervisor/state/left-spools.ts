import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import { counted } from '../../shared/counted.js';
import type { Log } from '../../shared/log.js';

const SEGMENT_FILE = /^\d{16}-[0-9a-f]{8}\.segment$/;

/**
 * Warns of points on disk that nobody delivers: of an output that the configuration names no more, or of all where the
 * spool is off. They stay as they are.
 * @param folder of the spool
 * @param aliases of the outputs that deliver what they have there
 */
export async function warnOfLeftSpools(folder: string, aliases: readonly string[], log: Log): Promise<void> {
  for (const name of await namesIn(folder, log)) {
    if (aliases.includes(name)) continue;
    const path = join(folder, name);
    const bytes = await segmentBytesIn(path, log);
    if (bytes === 0) continue;
    const all = aliases.length === 0;
    const reason = all ? '[spool] mode is "off"' : `no output has the alias "${name}"`;
    const way = all ? 'with another mode' : 'when one has it again';
    log.warn(
      { folder: path, bytes },
      `points of an earlier run lie in ${path} (${counted(bytes, 'byte')}) and are not delivered, as ${reason}; they are delivered ` +
        `${way}, unless you remove the folder`,
    );
  }
}

async function segmentBytesIn(folder: string, log: Log): Promise<number> {
  let bytes = 0;
  for (const name of await namesIn(folder, log)) {
    if (!SEGMENT_FILE.test(name)) continue;
    // Another process may deliver and remove it at this moment.
    const found = await lstat(join(folder, name)).catch(() => undefined);
    if (found?.isFile()) bytes += found.size;
  }
  return bytes;
}

/** None where there is no such folder. */
async function namesIn(folder: string, log: Log): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'ENOTDIR') return [];
    log.warn({ folder }, `cannot see whether points of an earlier run lie in ${folder}: ${reasonOf(thrown)}`);
    return [];
  }
}
