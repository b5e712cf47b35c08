import { join } from 'node:path';
import type { OutputSettings, SpoolSettings } from '../../../shared/output-settings.js';

/** What an output has of the spool. */
export interface SpoolShare {
  /** Of its records. */
  readonly folder: string;
  /** Bound of what is in there, in bytes. */
  readonly maxBytes: number;
  /** File of what was refused. */
  readonly setAsidePath: string;
  /** Bound of what is set aside, in bytes. */
  readonly setAsideBytes: number;
}

/** Of the files with refused documents. Bytes. */
const SET_ASIDE_MOST_BYTES = 16 * 1024 * 1024;

/** Each of the outputs has an equal share, of which an eighth at most is for what is refused. */
export function spoolShare(settings: OutputSettings, spool: SpoolSettings, outputCount: number): SpoolShare {
  const share = Math.min(Math.floor(spool.maxBytes / outputCount), storageLimit(settings));
  const setAsideBytes = Math.min(SET_ASIDE_MOST_BYTES, Math.floor(share / 8));
  return {
    folder: join(spool.folder, settings.alias),
    maxBytes: share - setAsideBytes,
    setAsidePath: setAsidePath(settings, spool.folder),
    setAsideBytes,
  };
}

/** Bytes that an output may have where that is less than its share. */
function storageLimit(settings: OutputSettings): number {
  if (settings.name !== 'go') return Number.POSITIVE_INFINITY;
  return settings.storageLimitBytes ?? Number.POSITIVE_INFINITY;
}

function setAsidePath(settings: OutputSettings, folder: string): string {
  const chosen = settings.name === 'go' ? settings.deadLetterFile : undefined;
  return chosen ?? join(folder, `${settings.alias}.refused`);
}
