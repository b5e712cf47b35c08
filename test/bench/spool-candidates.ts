/** The two ways to keep a spool that are compared, behind the same few calls. */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Spool } from '../../src/workers/publisher/spool/spool.js';
import { recordingLog } from '../support/recording-log.js';

export const DOCUMENT_BYTES = 16 * 1024;
/** The document that every record has. */
export const EXAMPLE = Buffer.alloc(DOCUMENT_BYTES, 'a document of points, more or less. ');

const NAMESPACE = 'web.shop';
const POINTS = 100;

/** Records read at a time while draining: about 1 MiB. */
const READ_RECORDS = 64;

/** What is used here of the package `lmdb`. */
interface LmdbDatabase {
  readonly flushed: Promise<boolean>;
  put(key: number, value: Buffer): Promise<boolean>;
  remove(key: number): Promise<boolean>;
  getKeys(options: { readonly reverse: boolean; readonly limit: number }): Iterable<number>;
  getRange(options: {
    readonly start?: number;
    readonly limit: number;
  }): Iterable<{ readonly key: number; readonly value: Buffer }>;
  close(): Promise<void>;
}

/** Where `npm install --prefix <folder> --ignore-scripts lmdb@3` was called: the project itself does not need it. */
const LMDB_FOLDER = process.env.LMDB_FOLDER ?? '';

export interface Candidate {
  /** Stores a group; settles when it is stored, safe from a power failure if the candidate was opened so. */
  append(documents: readonly Buffer[]): Promise<unknown>;
  /** Reads and acknowledges all; the answer is how many records there were. `onDocument` sees each. */
  drain(onDocument?: (document: Buffer) => void): Promise<number>;
  /** Reads the first records, without acknowledging. */
  readFirst(): Promise<number>;
  close(): Promise<unknown>;
}

export const CANDIDATES = ['spool', 'lmdb'] as const;

export type CandidateName = (typeof CANDIDATES)[number];

export function openCandidate(name: CandidateName, folder: string, isDurable: boolean): Promise<Candidate> {
  return name === 'spool' ? openSpool(folder, isDurable) : openLmdb(folder, isDurable);
}

/** Bytes of all files of a candidate. */
export function bytesOnDisk(folder: string): number {
  return readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).blocks * 512, 0);
}

/** The largest file, which is cut off to see what happens. */
export function largestFile(folder: string): string {
  const files = readdirSync(folder).map((file) => join(folder, file));
  files.sort((one, other) => statSync(other).size - statSync(one).size);
  return files[0] ?? '';
}

async function openSpool(folder: string, isDurable: boolean): Promise<Candidate> {
  const { log } = recordingLog();
  const fsync = isDurable ? 'always' : 'never';
  const spool = await Spool.open({ folder, maxBytes: 4 * 2 ** 30, fsync, log, onDropped: () => {} });
  return {
    append: (documents) =>
      spool.append(documents.map((document) => ({ namespace: NAMESPACE, points: POINTS, document }))),
    drain: async (onDocument) => {
      let count = 0;
      for (let last = 0; ; ) {
        const entries = await spool.read(last, READ_RECORDS * DOCUMENT_BYTES);
        if (entries.length === 0) return count;
        last = entries.at(-1)?.id ?? last;
        count += entries.length;
        for (const { document } of entries) onDocument?.(document);
        spool.acknowledge(entries.map(({ id }) => id));
      }
    },
    readFirst: async () => (await spool.read(0, READ_RECORDS * DOCUMENT_BYTES)).length,
    close: () => spool.close(),
  };
}

/** Keys in ascending order; in front of the document what else belongs to a record. */
async function openLmdb(folder: string, isDurable: boolean): Promise<Candidate> {
  mkdirSync(folder, { recursive: true });
  const lmdb = createRequire(join(LMDB_FOLDER, 'package.json'))('lmdb');
  const database: LmdbDatabase = lmdb.open({
    path: join(folder, 'spool.mdb'),
    encoding: 'binary',
    noSync: !isDurable,
  });
  let next = [...database.getKeys({ reverse: true, limit: 1 })][0] ?? 0;
  const head = Buffer.from(JSON.stringify([NAMESPACE, POINTS, Date.now()]));
  return {
    append: async (documents) => {
      let stored: Promise<boolean> | undefined;
      for (const document of documents) {
        next += 1;
        stored = database.put(next, Buffer.concat([head, document]));
      }
      await stored;
      if (isDurable) await database.flushed;
    },
    drain: async (onDocument) => {
      let count = 0;
      let removed: Promise<boolean> | undefined;
      for (let last = 0; ; ) {
        const entries = [...database.getRange({ start: last + 1, limit: READ_RECORDS })];
        if (entries.length === 0) break;
        last = entries.at(-1)?.key ?? last;
        count += entries.length;
        for (const { key, value } of entries) {
          onDocument?.(value.subarray(head.length));
          removed = database.remove(key);
        }
        await removed;
      }
      await removed;
      return count;
    },
    readFirst: async () => [...database.getRange({ limit: READ_RECORDS })].length,
    close: () => database.close(),
  };
}
