import { codeOf } from '../../../shared/coded-error.js';
import type { PendingAppend } from './append-queue.js';
import type { SegmentStore } from './segment-store.js';
import { SegmentWriter } from './segment-writer.js';
import type { SpoolFolder } from './spool-folder.js';

/** Looks after the segment that is written to: makes it, finishes it, replaces it. One call at a time, but for `sync`. */
export class ActiveSegment {
  /** Files were made or removed in the folder since it was synced last. */
  isFolderChanged = false;
  /** Records were written since the last sync. */
  isChanged = false;
  readonly #folder: SpoolFolder;
  readonly #store: SegmentStore;
  readonly #segmentBytes: number;
  #writer: SegmentWriter | undefined;
  /** The next record's, where there is no segment to say so. */
  #nextId: number;

  constructor(folder: SpoolFolder, store: SegmentStore, segmentBytes: number) {
    this.#folder = folder;
    this.#store = store;
    this.#segmentBytes = segmentBytes;
    this.#nextId = store.segments.at(-1)?.endId ?? 1;
  }

  /** Bytes that still go into the segment when the next append has `bytes`; else of a new one. */
  roomFor(bytes: number): number {
    const room = this.#roomNow;
    return bytes <= room ? room : this.#segmentBytes;
  }

  /** True when the segment must be finished before `bytes` more are written. */
  isFullFor(bytes: number): boolean {
    return this.#writer !== undefined && bytes > this.#roomNow;
  }

  /** All or none; the answer is the id of the first record. The records count only after `accept`. */
  async write(appends: readonly PendingAppend[]): Promise<number> {
    await this.#forgetRemoved();
    this.#writer ??= await this.#open();
    const { endId } = this.#writer.segment;
    await this.#writer.write(appends);
    this.isChanged = true;
    return endId;
  }

  /** @throws when it was noticed meanwhile that somebody removed the file: nobody would find the records there. */
  accept(appends: readonly PendingAppend[]): void {
    if (this.#writer?.segment.isRemoved) throw new Error('the file that they were written to is gone');
    this.#writer?.accept(appends);
    this.#nextId = this.#writer?.segment.endId ?? this.#nextId;
  }

  /** Makes sure that what was written survives a power failure. The one call that others may overlap. */
  async sync(): Promise<void> {
    if (this.isFolderChanged) {
      this.isFolderChanged = false;
      await this.#folder.sync().catch((error) => {
        this.isFolderChanged = true;
        throw error;
      });
    }
    if (this.isChanged) {
      this.isChanged = false;
      await this.#writer?.sync().catch((error) => {
        this.isChanged = true;
        throw error;
      });
    }
  }

  /** After a sync that failed nobody knows what is on the disk: takes back what was not accepted, begins anew. */
  async giveUp(): Promise<void> {
    try {
      await this.#writer?.takeBack();
    } finally {
      await this.finish(false);
    }
  }

  /** Finishes the segment, so that the next records go to a new one. One without records left is removed. */
  async finish(withFooter = true): Promise<void> {
    const writer = this.#writer;
    if (!writer) return;
    const { segment } = writer;
    if (withFooter && segment.remaining > 0 && !segment.isRemoved) await writer.finish();
    this.#writer = undefined;
    this.#store.sealed(segment);
    await writer.close();
    if (segment.remaining > 0 || segment.isRemoved) return;
    // Should its file stay, on a disk that fails, the next one must not begin with the same id: it would count as its end.
    if (segment.count === 0) this.#nextId += 1;
    await this.#store.remove(segment);
    this.isFolderChanged = true;
  }

  /** True when all its records are acknowledged. */
  get isDone(): boolean {
    return this.#writer !== undefined && this.#writer.segment.remaining === 0;
  }

  /** Begins a new segment when somebody removed the file of this one. */
  async checkPresence(): Promise<void> {
    if (!this.#writer || !(await this.#writer.isGone())) return;
    this.#store.vanished(this.#writer.segment);
    await this.#forgetRemoved();
  }

  get #roomNow(): number {
    if (!this.#writer) return this.#segmentBytes;
    return this.#segmentBytes - this.#writer.segment.fileBytes;
  }

  async #forgetRemoved(): Promise<void> {
    if (!this.#writer?.segment.isRemoved) return;
    const writer = this.#writer;
    this.#writer = undefined;
    await writer.close();
  }

  async #open(): Promise<SegmentWriter> {
    const continued = await this.#continueLast();
    if (continued) return continued;
    const writer = await this.#create();
    this.#store.add(writer.segment);
    this.isFolderChanged = true;
    return writer;
  }

  async #create(): Promise<SegmentWriter> {
    try {
      return await SegmentWriter.create(this.#folder, this.#nextId);
    } catch (error) {
      // Somebody removed the folder, and may not have meant to end the spool.
      if (codeOf(error) !== 'ENOENT') throw error;
      await this.#folder.prepare();
      return SegmentWriter.create(this.#folder, this.#nextId);
    }
  }

  /** A short segment of an earlier process is filled up, so that many restarts do not leave many files. */
  async #continueLast(): Promise<SegmentWriter | undefined> {
    const last = this.#store.segments.at(-1);
    if (!last?.mayContinue || last.remaining === 0 || last.endId !== this.#nextId) return undefined;
    if (last.fileBytes * 2 > this.#segmentBytes) return undefined;
    last.mayContinue = false;
    const contents = await this.#store.contentsOf(last);
    // Forgotten again at once, it may be being read by somebody already.
    if (!contents || contents !== last.contents || contents.count !== last.count) return undefined;
    return SegmentWriter.reopen(this.#folder, last, contents);
  }
}
