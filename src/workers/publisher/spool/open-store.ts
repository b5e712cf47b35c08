import type { Log } from '../../../shared/log.js';
import type { Segment } from './segment.js';
import { recoverSegment } from './segment-recovery.js';
import { SegmentStore } from './segment-store.js';
import { SetAside } from './set-aside.js';
import {
  BLOCK_BYTES,
  isJournalFile,
  journalFile,
  parseSegmentFile,
  type SegmentName,
  segmentFile,
} from './spool-file.js';
import type { SpoolFolder } from './spool-folder.js';
import type { SpoolOptions } from './spool-options.js';

/** What is set aside may take an eighth of the bound, and never more than this. Bytes. */
const SET_ASIDE_MOST_BYTES = 16 * 1024 * 1024;

/** The file that says who has the folder takes a block of the disk. */
const LOCK_BYTES = BLOCK_BYTES;

/** Takes over all that an earlier process left in the folder, and drops what the bound does not allow any more. */
export async function openStore(
  folder: SpoolFolder,
  options: SpoolOptions,
  onGivenUp: (segment: Segment) => void,
): Promise<{ readonly store: SegmentStore; readonly setAside: SetAside }> {
  const { maxBytes, log, onDropped, isInMemory = () => false } = options;
  const files = await folder.list();
  const setAside = new SetAside(folder, Math.min(Math.floor(maxBytes / 8), SET_ASIDE_MOST_BYTES));
  await setAside.adopt(files.filter(SetAside.isSetAside));
  const store = new SegmentStore({
    folder,
    setAside,
    maxBytes: maxBytes - LOCK_BYTES,
    log,
    onDropped,
    isInMemory,
    onGivenUp,
  });
  const names = segmentNames(files);
  for (const [place, name] of names.entries()) {
    const endId = names[place + 1]?.firstId ?? Number.MAX_SAFE_INTEGER;
    const segment = await recoverSegment({ folder, setAside, log, onDropped }, name, endId);
    if (segment) await addInOrder(store, folder, setAside, log, segment);
  }
  await removeStrayJournals(folder, files, store);
  if (options.fsync !== 'never') await folder.sync();
  await store.makeRoom(0);
  return { store, setAside };
}

function segmentNames(files: readonly string[]): SegmentName[] {
  const names: SegmentName[] = [];
  for (const file of files) {
    const name = parseSegmentFile(file);
    if (name) names.push(name);
  }
  return names.sort((one, other) => one.firstId - other.firstId);
}

/** Two segments with the same ids are a copy that somebody made: records could not be told apart. */
async function addInOrder(
  store: SegmentStore,
  folder: SpoolFolder,
  setAside: SetAside,
  log: Log,
  segment: Segment,
): Promise<void> {
  const last = store.segments.at(-1);
  if (!last || last.endId <= segment.name.firstId) {
    store.add(segment);
    return;
  }
  const file = folder.segmentPath(segment.name);
  const fate = await setAside.moveWhole(segmentFile(segment.name));
  log.error(
    { file, position: 0 },
    `${file} has records of the same ids as ${folder.segmentPath(last.name)}, perhaps a copy; ${fate}`,
  );
}

/** Of segments that were removed just before the process was killed. */
async function removeStrayJournals(
  folder: SpoolFolder,
  files: readonly string[],
  store: SegmentStore,
): Promise<void> {
  const needed = new Set(store.segments.map(({ name }) => journalFile(name)));
  for (const file of files) {
    if (isJournalFile(file) && !needed.has(file)) await folder.remove(file);
  }
}
