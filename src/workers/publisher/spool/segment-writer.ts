import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { PendingAppend } from './append-queue.js';
import { Contents } from './contents.js';
import { encodeFooter } from './footer.js';
import { Segment } from './segment.js';
import { createNew, openForWriting, writeAt } from './spool-file.js';
import type { SpoolFolder } from './spool-folder.js';

/** The segment that new records go to, with its file open. */
export class SegmentWriter {
  readonly segment: Segment;
  readonly #file: FileHandle;
  /** The file may have bytes behind its records: of a write that failed, and could not be taken back. */
  #hasRest = false;

  private constructor(segment: Segment, file: FileHandle) {
    this.segment = segment;
    this.#file = file;
  }

  /** A new and empty segment. */
  static async create(folder: SpoolFolder, firstId: number): Promise<SegmentWriter> {
    const name = { firstId, salt: randomBytes(4).readUInt32LE() };
    const segment = new Segment(name);
    segment.attach(new Contents());
    return new SegmentWriter(segment, await createNew(folder.segmentPath(name)));
  }

  /**
   * Goes on with a finished segment, whose table of contents must be there: its footer is taken off. From the first
   * moment on the table stays where it is, so that nobody reads it again from a file that is being written.
   */
  static async reopen(folder: SpoolFolder, segment: Segment, contents: Contents): Promise<SegmentWriter> {
    segment.isSealed = false;
    try {
      const file = await openForWriting(folder.segmentPath(segment.name));
      try {
        await file.truncate(contents.dataEnd);
      } catch (error) {
        await file.close();
        throw error;
      }
      segment.fileBytes = contents.dataEnd;
      return new SegmentWriter(segment, file);
    } catch (error) {
      segment.isSealed = true;
      throw error;
    }
  }

  /**
   * Writes records behind the others, all of them or, when it throws, none. They are not part of the segment
   * before `accept`.
   */
  async write(appends: readonly PendingAppend[]): Promise<void> {
    const { name, endId, fileBytes } = this.segment;
    let id = endId;
    for (const append of appends) {
      append.finish(id, name.salt);
      id += append.records.length;
    }
    try {
      if (this.#hasRest) await this.takeBack();
      const parts = appends.map(({ bytes }) => bytes);
      await writeAt(this.#file, fileBytes, parts);
    } catch (error) {
      await this.#tryToTakeBack();
      throw error;
    }
  }

  /** Makes sure that what was written survives a power failure. */
  sync(): Promise<void> {
    return this.#file.datasync();
  }

  /** Cuts off what was written and not accepted. */
  async takeBack(): Promise<void> {
    this.#hasRest = true;
    await this.#file.truncate(this.segment.fileBytes);
    this.#hasRest = false;
  }

  /** Makes what was written part of the segment. */
  accept(appends: readonly PendingAppend[]): void {
    for (const append of appends) {
      const base = this.segment.fileBytes;
      let start = 0;
      for (const { namespace, points, end } of append.records) {
        this.segment.added(base + start, base + end, points, append.storedAt, namespace);
        start = end;
      }
    }
  }

  /** True when somebody removed the file: what is written to it is lost. */
  async isGone(): Promise<boolean> {
    return (await this.#file.stat()).nlink === 0;
  }

  /** Finishes the segment with its footer. Without room for it the segment is only slower to open. */
  async finish(): Promise<void> {
    const { contents, fileBytes, name } = this.segment;
    if (!contents || contents.count === 0) return;
    const footer = encodeFooter(contents, name.salt);
    try {
      if (this.#hasRest) await this.takeBack();
      await writeAt(this.#file, fileBytes, [footer]);
      this.segment.fileBytes += footer.length;
    } catch {
      await this.#tryToTakeBack();
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #tryToTakeBack(): Promise<void> {
    try {
      await this.takeBack();
    } catch {
      // Remembered, and done before anything else is written.
    }
  }
}
