import type { FileHandle } from 'node:fs/promises';
import { counted } from '../../../shared/counted.js';
import type { Log } from '../../../shared/log.js';
import type { Contents } from './contents.js';
import { parseFooter, parseTrailer, TRAILER_BYTES } from './footer.js';
import type { Segment } from './segment.js';
import { type FilePart, type LostRecord, scanSegment } from './segment-scan.js';
import type { SetAside } from './set-aside.js';
import { type OnDropped, UNKNOWN_NAMESPACE } from './spool-entry.js';
import { openForReading, readAt, type SegmentName, segmentFile } from './spool-file.js';
import type { SpoolFolder } from './spool-folder.js';

/** Damaged parts of one file that are logged and set aside one by one; the others are only counted. */
const PARTS_IN_FULL = 8;

export interface ContentsSource {
  readonly folder: SpoolFolder;
  readonly setAside: SetAside;
  readonly log: Log;
  readonly onDropped: OnDropped;
}

/**
 * Gives a finished segment its table of contents: from its footer, or where that is damaged from the whole file. What
 * turns out to be lost then is told once: it counts as settled, which has to be noted.
 * @throws what the system says when the file cannot be opened or read
 */
export async function attachContents(source: ContentsSource, segment: Segment): Promise<void> {
  const handle = await openForReading(source.folder.segmentPath(segment.name));
  try {
    const found = await readFooter(handle, segment.name);
    if (found && found.count === segment.count) {
      segment.attach(found);
      return;
    }
    const { contents, lost } = await scanContents(source, handle, segment.name, segment.endId);
    const points = new Map(lost.map((record) => [record.index, record.points]));
    const newlyLost = segment.attach(contents);
    segment.giveUp(newlyLost);
    tellLost(
      source,
      newlyLost.map((index) => ({ index, points: points.get(index) ?? 1 })),
    );
  } finally {
    await handle.close();
  }
}

/** The table of contents in a file's footer; undefined when there is no sound one. */
export async function readFooter(handle: FileHandle, name: SegmentName): Promise<Contents | undefined> {
  const { size } = await handle.stat();
  if (size < TRAILER_BYTES) return undefined;
  const trailer = parseTrailer(await readAt(handle, size - TRAILER_BYTES, TRAILER_BYTES), name.salt);
  if (!trailer || trailer.footerBytes > size) return undefined;
  return parseFooter(await readAt(handle, size - trailer.footerBytes, trailer.footerBytes), name.salt);
}

/** Reads a file through. What is damaged in it is set aside and logged, the file itself stays as it is. */
export async function scanContents(
  source: ContentsSource,
  handle: FileHandle,
  name: SegmentName,
  endId: number,
): Promise<{
  readonly contents: Contents;
  readonly isWhole: boolean;
  readonly lost: readonly LostRecord[];
}> {
  const { size } = await handle.stat();
  const { contents, damaged, lost } = await scanSegment(handle, size, name, endId);
  const path = source.folder.segmentPath(name);
  for (const part of damaged.slice(0, PARTS_IN_FULL)) await sayDamaged(source, name, part);
  if (damaged.length > PARTS_IN_FULL) {
    source.log.error(
      { file: path, parts: damaged.length },
      `${path} is damaged in ${counted(damaged.length - PARTS_IN_FULL, 'more place')}; all are skipped`,
    );
  }
  source.log.info(
    { file: path, position: contents.dataEnd, records: contents.count },
    `${path} was not finished; read through, ${counted(contents.count, 'record')} up to position ${contents.dataEnd}`,
  );
  return { contents, isWhole: damaged.length === 0, lost };
}

/** Counts records that were damaged. Those that had been delivered must not be among them. */
export function tellLost({ onDropped }: ContentsSource, lost: readonly LostRecord[]): void {
  if (lost.length === 0) return;
  const points = lost.reduce((sum, record) => sum + record.points, 0);
  onDropped(UNKNOWN_NAMESPACE, lost.length, points, 'damaged');
}

/** Sets a damaged part aside and logs where it was. */
export async function sayDamaged(source: ContentsSource, name: SegmentName, part: FilePart): Promise<void> {
  const path = source.folder.segmentPath(name);
  const fate = await source.setAside.copyPart(segmentFile(name), part.start, part.end);
  source.log.error(
    { file: path, position: part.start, bytes: part.end - part.start },
    `${path} is damaged or cut at position ${part.start}: ${counted(part.end - part.start, 'byte is', 'bytes are')} no record; ${fate}`,
  );
}
