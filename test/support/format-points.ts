import type { PluginFormat } from '../../src/shared/plugin-format.js';
import { readPluginOutput } from '../../src/workers/runner/plugin-output.js';
import type { SentPoint } from './runner-pool.js';

/** What became of an output, without what all its points share. */
export interface ReadOutput {
  /** Measurement behind `PLUGIN.p.`, tags without `host`, fields, and the timestamp, undefined where it is "now". */
  readonly points: readonly (readonly [string, SentPoint['tags'], SentPoint['fields'], number | undefined])[];
  /** Place and reason of each bad part. */
  readonly bad: readonly string[];
  readonly badCount: number;
  readonly problem: string | undefined;
  /** The documents as they go out. */
  readonly documents: string;
}

const SETTINGS = { database: 'web', measurementPrefix: 'PLUGIN.p.', host: 'h', maxBytes: 1_000_000 };
const NOW_SECONDS = 100;

/** Reads an output as a run does; exit code null: of a process that did not exit by itself. */
export function readAs(
  format: PluginFormat,
  output: string | Buffer,
  exitCode: number | null = 0,
  anyOutput = false,
): ReadOutput {
  const from = Math.floor(Date.now() / 1000);
  const stdout = Buffer.from(output);
  const { metrics, problem } = readPluginOutput(
    { stdout, exitCode: exitCode ?? undefined },
    { format, anyOutput },
    SETTINGS,
  );
  const sent: SentPoint[] = metrics.documents.flatMap(({ text }) => JSON.parse(text).points);
  const points = sent.map(({ measurement, tags: { host, ...tags }, fields, timestamp }) => {
    if (host !== 'h') throw new Error(`the host is ${host}`);
    const isNow = timestamp >= from && timestamp <= from + NOW_SECONDS;
    return [measurement.replace(/^PLUGIN\.p\./, ''), tags, fields, isNow ? undefined : timestamp] as const;
  });
  const bad = metrics.bad.map(({ index, reason }) => `${index}: ${reason}`);
  const documents = metrics.documents.map(({ text }) => text).join('\n');
  return { points, bad, badCount: metrics.badCount, problem, documents };
}
