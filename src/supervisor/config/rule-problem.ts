import type { Config } from './config.js';

/** Table and key, joined by a dot; in `[[outputs]]` the table's index stands between them, and may be all. */
export type KeyName = `${keyof Config}.${string}`;

/** A problem that shows only when keys are seen together, or in the file system. */
export interface RuleProblem {
  /** The first is the one that is named; when any of them is wrong by itself, the problem is not reported. */
  readonly keys: readonly [KeyName, ...KeyName[]];
  readonly sentence: string;
}

/** What the rules need to know besides the configuration. */
export interface RuleContext {
  /** Absolute path of the configuration file. */
  readonly file: string;
  readonly root: boolean;
  readonly home: string;
  /** The keys that stand in each table of `[[outputs]]`. */
  readonly writtenOutputs: readonly (readonly string[])[];
}
