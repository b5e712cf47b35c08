import type { FileHandle } from 'node:fs/promises';
import { codeOf } from '../../../shared/coded-error.js';
import type { Contents } from './contents.js';
import { parseRecord } from './record-format.js';
import type { Segment } from './segment.js';
import type { SegmentStore } from './segment-store.js';
import type { SpoolEntry } from './spool-entry.js';
import { readError } from './spool-error.js';
import { openForReading, readAt } from './spool-file.js';
import type { SpoolFolder } from './spool-folder.js';

/** Acknowledged records between others are read too, and thrown away, up to so many bytes in one place. */
const GAP_BYTES = 64 * 1024;

/** Neighbouring records of one segment that are read at once, from the index `from` to before `to`. */
interface Run {
  readonly from: number;
  readonly to: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads records of `afterId + 1` and behind that are not acknowledged, oldest first: as many as `maxBytes` hold,
 * and at least one where there is one. Damaged ones are given up on the way.
 * @throws CodedError `spool-read` when the first of them cannot be read for a reason that may pass
 */
export async function readRecords(
  store: SegmentStore,
  folder: SpoolFolder,
  afterId: number,
  maxBytes: number,
): Promise<SpoolEntry[]> {
  const entries: SpoolEntry[] = [];
  let room = maxBytes;
  let next = store.nextRemaining(afterId + 1);
  while (next && (room > 0 || entries.length === 0)) {
    const { segment, index } = next;
    const path = folder.segmentPath(segment.name);
    let run: Run | undefined;
    try {
      const contents = await store.contentsOf(segment);
      run = contents && runFrom(segment, contents, index, room, entries.length === 0);
      if (contents && run) entries.push(...(await readRun(store, path, segment, contents, run)));
    } catch (error) {
      // What was read before it is good; the next call begins with the one that cannot be read.
      if (!segment.isRemoved && entries.length > 0) break;
      if (!segment.isRemoved) throw readError(path, error);
    }
    if (!segment.isRemoved && !run && segment.firstRemaining(index) === index) break;
    room -= run ? run.end - run.start : 0;
    next = store.nextRemaining(segment.name.firstId + (run?.to ?? index));
  }
  return entries;
}

/** The longest run from the record `from` on that fits; undefined when not even that one does. */
function runFrom(
  segment: Segment,
  contents: Contents,
  from: number,
  room: number,
  takeOne: boolean,
): Run | undefined {
  if (segment.isAcknowledged(from)) return undefined;
  const start = contents.offsetOf(from);
  let to = from;
  let end = start;
  for (let index = from; index < segment.count; index = segment.firstRemaining(index + 1)) {
    const nextEnd = contents.endOf(index);
    const isTooMuch = nextEnd - start > room || contents.offsetOf(index) - end > GAP_BYTES;
    if (isTooMuch && !(takeOne && index === from)) break;
    end = nextEnd;
    to = index + 1;
  }
  return to > from ? { from, to, start, end } : undefined;
}

async function readRun(
  store: SegmentStore,
  path: string,
  segment: Segment,
  contents: Contents,
  run: Run,
): Promise<SpoolEntry[]> {
  const bytes = await readPart(store, path, segment, run);
  if (!bytes && run.to - run.from > 1) return readOneByOne(store, path, segment, contents, run);
  const entries: SpoolEntry[] = [];
  const damaged: number[] = [];
  for (let index = run.from; index < run.to; index += 1) {
    // Acknowledged or dropped while it was read.
    if (segment.isRemoved || segment.isAcknowledged(index)) continue;
    const at = contents.offsetOf(index) - run.start;
    const entry = bytes && parseRecord(bytes, at, segment.name.firstId + index, segment.name.salt);
    if (entry) entries.push(entry);
    else damaged.push(index);
  }
  for (const group of consecutive(damaged)) {
    const start = contents.offsetOf(group[0] ?? 0);
    const end = contents.endOf(group.at(-1) ?? 0);
    await store.loseRecords(segment, group, { start, end });
  }
  return entries;
}

/** Where the disk fails in the middle of a run, the records around that place are still good. */
async function readOneByOne(
  store: SegmentStore,
  path: string,
  segment: Segment,
  contents: Contents,
  run: Run,
): Promise<SpoolEntry[]> {
  const entries: SpoolEntry[] = [];
  for (let from = run.from; from < run.to; from = segment.firstRemaining(from + 1)) {
    const one = { from, to: from + 1, start: contents.offsetOf(from), end: contents.endOf(from) };
    entries.push(...(await readRun(store, path, segment, contents, one)));
  }
  return entries;
}

/** Undefined when the disk cannot read that part of it. */
async function readPart(
  store: SegmentStore,
  path: string,
  segment: Segment,
  run: Run,
): Promise<Buffer | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await openForReading(path);
    return await readAt(file, run.start, run.end - run.start);
  } catch (error) {
    if (file !== undefined && codeOf(error) === 'EIO') return undefined;
    if (file === undefined && codeOf(error) === 'ENOENT') store.vanished(segment);
    throw error;
  } finally {
    await file?.close();
  }
}

/** Puts numbers that follow one another into groups. */
function consecutive(numbers: readonly number[]): number[][] {
  const groups: number[][] = [];
  for (const number of numbers) {
    const group = groups.at(-1);
    if (group?.at(-1) === number - 1) group.push(number);
    else groups.push([number]);
  }
  return groups;
}
