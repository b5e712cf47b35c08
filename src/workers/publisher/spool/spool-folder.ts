import { constants } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, codeOf, reasonOf } from '../../../shared/coded-error.js';
import { folderError } from './spool-error.js';
import { journalFile, type SegmentName, segmentFile } from './spool-file.js';

const FOLDER_MODE = 0o700;

/** The folder of one spool, which nobody but the agent's user may look into. */
export class SpoolFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes the folder where it is missing.
   * @throws CodedError `spool-folder` when it is a symbolic link, no folder, of another user, or cannot be used
   */
  async prepare(): Promise<void> {
    try {
      await mkdir(this.path, { recursive: true, mode: FOLDER_MODE });
      const found = await lstat(this.path);
      if (found.isSymbolicLink()) throw folderError(this.path, 'is a symbolic link');
      const uid = process.geteuid?.();
      if (uid !== undefined && found.uid !== uid) {
        throw folderError(this.path, `belongs to the user with id ${found.uid}`);
      }
      if ((found.mode & 0o777) !== FOLDER_MODE) await chmod(this.path, FOLDER_MODE);
    } catch (error) {
      if (error instanceof CodedError) throw error;
      throw folderError(this.path, `cannot be used: ${reasonOf(error)}`, error);
    }
  }

  /** The names of what is in it, in order. */
  async list(): Promise<string[]> {
    try {
      return (await readdir(this.path)).sort();
    } catch (error) {
      throw folderError(this.path, `cannot be read: ${reasonOf(error)}`, error);
    }
  }

  file(name: string): string {
    return join(this.path, name);
  }

  segmentPath(name: SegmentName): string {
    return this.file(segmentFile(name));
  }

  journalPath(name: SegmentName): string {
    return this.file(journalFile(name));
  }

  /**
   * Removes a segment for good. The records go first: acknowledgements without records do no harm, the other way
   * round all of them would come back.
   */
  async removeSegment(name: SegmentName): Promise<void> {
    await unlinkIfThere(this.segmentPath(name));
    await unlinkIfThere(this.journalPath(name));
  }

  async remove(file: string): Promise<void> {
    await rm(this.file(file), { force: true, recursive: true });
  }

  /** Makes sure that what was made and removed here stays so when the power fails. */
  async sync(): Promise<void> {
    const handle = await open(this.path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
