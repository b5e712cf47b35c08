import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Spool } from '../../src/workers/publisher/spool/spool.js';
import type { SpoolEntry, SpoolRecord } from '../../src/workers/publisher/spool/spool-entry.js';
import type { SpoolOptions } from '../../src/workers/publisher/spool/spool-options.js';
import { recordingLog } from '../support/recording-log.js';
import { temporaryFolder } from '../support/temporary-folder.js';

export const MIB = 1024 * 1024;

export interface Opened {
  readonly spool: Spool;
  readonly folder: string;
  readonly lines: ReturnType<typeof recordingLog>['lines'];
  readonly dropped: [string, number, number, string][];
}

/** A spool in a folder of its own, closed when the test ends. */
export async function open(context: TestContext, changes: Partial<SpoolOptions> = {}): Promise<Opened> {
  const { log, lines } = recordingLog();
  const dropped: Opened['dropped'] = [];
  const options: SpoolOptions = {
    folder: join(temporaryFolder(context), 'spool'),
    maxBytes: 16 * MIB,
    fsync: 'always',
    log,
    onDropped: (...told) => dropped.push(told),
    ...changes,
  };
  const spool = await Spool.open(options);
  context.after(() => spool.close());
  return { spool, folder: options.folder, lines, dropped };
}

export function record(text: string, namespace = 'web.shop', points = 1): SpoolRecord {
  return { namespace, points, document: Buffer.from(text) };
}

export function texts(entries: readonly SpoolEntry[]): string[] {
  return entries.map(({ document }) => document.toString());
}

export function ids(entries: readonly SpoolEntry[]): number[] {
  return entries.map(({ id }) => id);
}

/** The paths of its segments, oldest first. */
export function segments(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.segment'))
    .sort()
    .map((file) => join(folder, file));
}
