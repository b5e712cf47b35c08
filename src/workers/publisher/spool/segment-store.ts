import { codeOf, reasonOf } from '../../../shared/coded-error.js';
import { counted } from '../../../shared/counted.js';
import { type Contents, countByNamespace } from './contents.js';
import type { Segment } from './segment.js';
import { attachContents, type ContentsSource, sayDamaged } from './segment-contents.js';
import type { FilePart } from './segment-scan.js';
import type { OnDropped, SpoolDropReason } from './spool-entry.js';

/** Tables of contents that stay in memory besides that of the segment being written. */
const CONTENTS_KEPT = 8;

export interface SegmentStoreOptions extends ContentsSource {
  readonly maxBytes: number;
  readonly onDropped: OnDropped;
  readonly isInMemory: (id: number) => boolean;
  /** Told when the store itself gave up records of a segment, which then have to be noted as settled. */
  readonly onGivenUp: (segment: Segment) => void;
}

/** All segments of a spool, oldest first, within the bound of the spool. */
export class SegmentStore {
  readonly #options: SegmentStoreOptions;
  readonly #segments: Segment[] = [];
  /** Finished segments whose tables of contents are in memory, the last used one last. */
  readonly #recent: Segment[] = [];
  /** Those whose tables of contents are being read. */
  readonly #attaching = new Map<Segment, Promise<void>>();

  constructor(options: SegmentStoreOptions) {
    this.#options = options;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Puts a segment behind the others. */
  add(segment: Segment): void {
    this.#segments.push(segment);
    if (segment.isSealed && segment.contents) this.#noteUse(segment);
  }

  /** Takes note that nothing is added to a segment any more. */
  sealed(segment: Segment): void {
    segment.isSealed = true;
    if (!segment.isRemoved) this.#noteUse(segment);
  }

  /** The segment that a record is or was in. */
  find(id: number): Segment | undefined {
    const segment = this.#segments[this.#placeOf(id)];
    return segment && id >= segment.name.firstId && id < segment.endId ? segment : undefined;
  }

  /** The first record of `id` or behind that is not acknowledged. */
  nextRemaining(id: number): { readonly segment: Segment; readonly index: number } | undefined {
    for (let place = Math.max(0, this.#placeOf(id)); place < this.#segments.length; place += 1) {
      const segment = this.#segments[place];
      if (!segment || segment.isRemoved || segment.remaining === 0) continue;
      const index = segment.firstRemaining(Math.max(0, id - segment.name.firstId));
      if (index < segment.count) return { segment, index };
    }
    return undefined;
  }

  /**
   * The table of contents of a segment; undefined when its file is gone, which is logged.
   * @throws what the system says when the file cannot be read
   */
  async contentsOf(segment: Segment): Promise<Contents | undefined> {
    try {
      if (!segment.contents && !segment.isRemoved) await this.#attach(segment);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      this.vanished(segment);
      return undefined;
    }
    if (segment.isSealed && !segment.isRemoved) this.#noteUse(segment);
    return segment.contents;
  }

  /** Once at a time: who came late would take the records that are added meanwhile for missing. */
  #attach(segment: Segment): Promise<void> {
    const underWay = this.#attaching.get(segment);
    if (underWay) return underWay;
    const attaching = attachContents(this.#options, segment)
      .then(() => {
        if (segment.remaining === 0 || segment.hasUnjournaled) this.#options.onGivenUp(segment);
      })
      .finally(() => this.#attaching.delete(segment));
    this.#attaching.set(segment, attaching);
    return attaching;
  }

  /** Drops the oldest records until `bytes` more fit; what was set aside goes before them. */
  async makeRoom(bytes: number): Promise<void> {
    const { setAside, maxBytes } = this.#options;
    let reserved = 0;
    for (const segment of this.#segments) reserved += segment.reservedBytes;
    while (reserved + setAside.reservedBytes + bytes > maxBytes) {
      if (await setAside.removeOldest()) continue;
      const [oldest] = this.#segments;
      if (!oldest) return;
      reserved -= oldest.reservedBytes;
      await this.#drop(oldest);
    }
  }

  /** Removes a segment of which nothing is left to deliver. */
  async remove(segment: Segment): Promise<void> {
    await this.#removeFiles(segment);
    this.#forget(segment);
  }

  /** Gives up records whose bytes on disk are damaged, and says so. */
  async loseRecords(segment: Segment, indices: readonly number[], part: FilePart): Promise<void> {
    const lost = indices.filter((index) => segment.acknowledge(index));
    if (lost.length === 0) return;
    this.#options.onGivenUp(segment);
    await this.contentsOf(segment);
    this.#tellDropped(segment, segment.contents, lost, 'damaged');
    await sayDamaged(this.#options, segment.name, part);
  }

  /** Gives up a segment whose file somebody removed. */
  vanished(segment: Segment): void {
    if (segment.isRemoved) return;
    const file = this.#options.folder.segmentPath(segment.name);
    const { remaining, remainingPoints } = segment;
    this.#options.log.error(
      { file, records: remaining, points: remainingPoints },
      `the spool's file ${file} is gone, somebody removed it; lost with it: ` +
        `${counted(remaining, 'record')} with ${counted(remainingPoints, 'point')}`,
    );
    this.#tellDropped(segment, segment.contents, segment.remainingIndices(), 'damaged');
    this.#forget(segment);
  }

  async #drop(segment: Segment): Promise<void> {
    await this.#loadForCounting(segment);
    if (segment.isRemoved) return;
    const { contents } = segment;
    await this.#removeFiles(segment);
    // Counted now: what was acknowledged meanwhile is not dropped.
    this.#tellDropped(segment, contents, segment.remainingIndices(), 'full');
    this.#forget(segment);
  }

  /** Who reads at the same time must not take it for damage that the files are gone. */
  async #removeFiles(segment: Segment): Promise<void> {
    segment.isRemoved = true;
    try {
      await this.#options.folder.removeSegment(segment.name);
    } catch (error) {
      segment.isRemoved = false;
      throw error;
    }
  }

  async #loadForCounting(segment: Segment): Promise<void> {
    try {
      await this.contentsOf(segment);
    } catch (error) {
      const file = this.#options.folder.segmentPath(segment.name);
      this.#options.log.error(
        { file, records: segment.remaining, points: segment.remainingPoints },
        `dropping ${counted(segment.remaining, 'record')} not counted by namespace, as ${file} cannot be read: ${reasonOf(error)}`,
      );
    }
  }

  #tellDropped(
    segment: Segment,
    contents: Contents | undefined,
    indices: Iterable<number>,
    reason: SpoolDropReason,
  ): void {
    if (!contents) return;
    const { firstId } = segment.name;
    const lost = [...indices].filter((index) => !this.#options.isInMemory(firstId + index));
    for (const [namespace, { records, points }] of countByNamespace(contents, lost)) {
      this.#options.onDropped(namespace, records, points, reason);
    }
  }

  #forget(segment: Segment): void {
    segment.isRemoved = true;
    const place = this.#segments.indexOf(segment);
    if (place >= 0) this.#segments.splice(place, 1);
    const recent = this.#recent.indexOf(segment);
    if (recent >= 0) this.#recent.splice(recent, 1);
  }

  /** Where the last segment stands whose first id is not above `id`; -1 when there is none. */
  #placeOf(id: number): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#segments[middle]?.name.firstId ?? 0) <= id) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #noteUse(segment: Segment): void {
    const place = this.#recent.indexOf(segment);
    if (place >= 0) this.#recent.splice(place, 1);
    this.#recent.push(segment);
    if (this.#recent.length > CONTENTS_KEPT) this.#recent.shift()?.detach();
  }
}
