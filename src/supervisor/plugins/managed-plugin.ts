import type { RunOutcome } from '../../shared/messages.js';
import type { PluginDefinition } from '../registry/plugin-definition.js';

/** How the last run of a plugin went. */
export interface LastRun {
  readonly status: RunOutcome['status'];
  readonly value: number;
  readonly durationMs: number;
  readonly points: number;
  /** From when it was due to when its process was started; undefined for a run that was not on schedule. */
  readonly latenessMs: number | undefined;
  readonly endedAt: Date;
  readonly problem: string | undefined;
}

/** A plugin that the registry wants here, with what has happened to it so far. */
export interface ManagedPlugin {
  readonly key: string;
  definition: PluginDefinition;
  runs: number;
  /** Runs that were due while the one before was still under way, or while none of the places was free. */
  skipped: number;
  lastRun: LastRun | undefined;
}

/** A plugin that nothing has happened to yet. */
export function managedPlugin(key: string, definition: PluginDefinition): ManagedPlugin {
  return { key, definition, runs: 0, skipped: 0, lastRun: undefined };
}
