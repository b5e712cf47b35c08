import { z } from 'zod';
import type { ProcessIdentity } from '../../shared/process-identity.js';

const runRecordSchema = z.object({
  pid: z.int().positive(),
  startTicks: z.string(),
  bootId: z.string(),
  version: z.string(),
  configFile: z.string(),
  pluginsdir: z.string(),
  statedir: z.string(),
  spooldir: z.string().optional(),
  logdir: z.string(),
  startedAt: z.string(),
  tcpAddress: z.string().optional(),
  socketPath: z.string().optional(),
  madeFolders: z.array(z.string()),
  lost: z.object({ points: z.int(), documents: z.int() }).optional(),
  kept: z.object({ points: z.int(), documents: z.int() }).optional(),
});

/** What a run of the agent leaves in its run folder, for `stop`, `status` and the next start. */
export interface RunRecord extends ProcessIdentity {
  readonly version: string;
  readonly configFile: string;
  readonly pluginsdir: string;
  readonly statedir: string;
  /** Missing in records of versions that had no spool. */
  readonly spooldir?: string | undefined;
  readonly logdir: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** `host:port`; undefined until the agent is up. */
  readonly tcpAddress?: string | undefined;
  readonly socketPath?: string | undefined;
  /** Folders that were not there before the agent: `stop -m clean` may remove them when they are empty. */
  readonly madeFolders: readonly string[];
  /** What it could not deliver when it was stopped; undefined until then, and when it was nothing. */
  readonly lost?: { readonly points: number; readonly documents: number } | undefined;
  /** What waits on disk since it was stopped; undefined like `lost`. */
  readonly kept?: { readonly points: number; readonly documents: number } | undefined;
}

/** The record in a file's text; undefined when it is none, as after a power cut in the middle of writing. */
export function parseRunRecord(text: string): RunRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = runRecordSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
