import type { FileHandle } from 'node:fs/promises';
import { codeOf, reasonOf } from '../../../shared/coded-error.js';
import { readEntries } from './acknowledgement-journal.js';
import type { Contents } from './contents.js';
import { encodeFooter, parseTrailer, TRAILER_BYTES } from './footer.js';
import { Segment } from './segment.js';
import {
  attachContents,
  type ContentsSource,
  readFooter,
  scanContents,
  tellLost,
} from './segment-contents.js';
import type { LostRecord } from './segment-scan.js';
import {
  openForReading,
  openForWriting,
  readAt,
  type SegmentName,
  segmentFile,
  writeAt,
} from './spool-file.js';

/** The process has no more descriptors or memory: says nothing about the file. */
const NOT_THE_FILE = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);

/**
 * Takes over a segment that an earlier process left: its records, as far as they are sound, and its
 * acknowledgements. Undefined when there is nothing in it to deliver; its files are gone then.
 * @param endId - the first id of the next segment
 * @throws when the process lacks descriptors or memory; whatever is wrong with the file is logged and survived
 */
export async function recoverSegment(
  source: ContentsSource,
  name: SegmentName,
  endId: number,
): Promise<Segment | undefined> {
  const { folder, setAside, log } = source;
  const file = segmentFile(name);
  const path = folder.file(file);
  try {
    const lost = new Map<number, LostRecord>();
    const segment = await openSegment(source, name, endId, lost);
    if (segment) await restoreAcknowledgements(source, segment, lost);
    tellLost(source, [...lost.values()]);
    if (segment && segment.remaining > 0) {
      if (!segment.isPriced) await attachContents(source, segment);
      return segment;
    }
    await folder.removeSegment(name);
  } catch (error) {
    if (isNotTheFile(error)) throw error;
    const fate = await setAside.moveWhole(file);
    log.error(
      { file: path, position: 0 },
      `the spool's file ${path} is unusable: ${reasonOf(error)}; ${fate}`,
    );
  }
  return undefined;
}

function isNotTheFile(error: unknown): boolean {
  return NOT_THE_FILE.has(codeOf(error) ?? '');
}

async function openSegment(
  source: ContentsSource,
  name: SegmentName,
  endId: number,
  lost: Map<number, LostRecord>,
): Promise<Segment | undefined> {
  const handle = await openForWriting(source.folder.segmentPath(name));
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error('it is no regular file');
    if ((found.mode & 0o777) !== 0o600) await handle.chmod(0o600);
    return (
      (await fromFooter(handle, name, found.size)) ?? (await fromScan(source, handle, name, endId, lost))
    );
  } finally {
    await handle.close();
  }
}

async function fromFooter(handle: FileHandle, name: SegmentName, size: number): Promise<Segment | undefined> {
  if (size < TRAILER_BYTES) return undefined;
  const trailer = parseTrailer(await readAt(handle, size - TRAILER_BYTES, TRAILER_BYTES), name.salt);
  if (!trailer || trailer.footerBytes > size) return undefined;
  const segment = Segment.sealed(name, { ...trailer, fileBytes: size });
  if (trailer.missing === 0) {
    segment.mayContinue = true;
    return segment;
  }
  // Which ones are missing stands in the table alone.
  const contents = await readFooter(handle, name);
  if (!contents) return undefined;
  segment.attach(contents);
  return segment;
}

/** A segment that was not finished, or is damaged. What is sound in it is finished here, what is not put in `lost`. */
async function fromScan(
  source: ContentsSource,
  handle: FileHandle,
  name: SegmentName,
  endId: number,
  lost: Map<number, LostRecord>,
): Promise<Segment | undefined> {
  const { contents, isWhole, lost: found } = await scanContents(source, handle, name, endId);
  for (const record of found) lost.set(record.index, record);
  if (contents.count === 0) return undefined;
  const segment = new Segment(name);
  segment.attach(contents);
  segment.isSealed = true;
  segment.mayContinue = isWhole;
  segment.fileBytes = await finishFile(handle, segment, contents);
  return segment;
}

/** Cuts off what is behind the records and writes the footer; the answer is the length of the file. */
async function finishFile(handle: FileHandle, segment: Segment, contents: Contents): Promise<number> {
  const { dataEnd } = contents;
  const footer = encodeFooter(contents, segment.name.salt);
  try {
    await handle.truncate(dataEnd);
    await writeAt(handle, dataEnd, [footer]);
    return dataEnd + footer.length;
  } catch {
    // No room for it: the segment is good without, it is only read through again the next time.
    return leaveUnfinished(handle, segment, dataEnd);
  }
}

async function leaveUnfinished(handle: FileHandle, segment: Segment, dataEnd: number): Promise<number> {
  try {
    await handle.truncate(dataEnd);
    return dataEnd;
  } catch {
    // Not even that, as on a full disk of some kinds. The records are good, but none must come behind what is left there.
    segment.mayContinue = false;
    return (await handle.stat()).size;
  }
}

/**
 * Acknowledgements that cannot be read are forgotten: their records are delivered again, which is no loss. Not for want
 * of descriptors or memory: then it throws.
 */
async function restoreAcknowledgements(
  { folder, log }: ContentsSource,
  segment: Segment,
  lost: Map<number, LostRecord>,
): Promise<void> {
  const path = folder.journalPath(segment.name);
  try {
    const journal = await openForReading(path);
    try {
      segment.journalBytes = await readEntries(journal, segment.name.salt, (first, count) => {
        // The records of these ids are lost. New ones must not get the same, or they would pass for delivered.
        if (first + count > segment.count) segment.mayContinue = false;
        for (const index of lost.keys()) if (index >= first && index < first + count) lost.delete(index);
        segment.restoreAcknowledged(first, count);
      });
    } finally {
      await journal.close();
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    if (isNotTheFile(error)) throw error;
    segment.mayContinue = false;
    log.warn(
      { file: path },
      `cannot read ${path}, which says what was delivered; it is delivered again: ${reasonOf(error)}`,
    );
  }
}
