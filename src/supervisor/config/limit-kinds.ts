import { z } from 'zod';
import type { PluginLimits } from '../../shared/plugin-limits.js';

/** What a limit may be, the same in the configuration and in an item of the registry. */
export interface LimitKind {
  readonly allows: (value: number) => boolean;
  /** What would be right. */
  readonly sentence: string;
}

/** Every limit that a plugin can have. */
export const LIMIT_KINDS: Readonly<Record<keyof PluginLimits, LimitKind>> = {
  cpuseconds: whole('seconds', 1, 31_536_000),
  addressspace: whole('bytes', 1_048_576, 1_000_000_000_000_000),
  openfiles: whole('files', 16, 1_048_576),
  filesize: whole('bytes', 1, 1_000_000_000_000_000),
  processes: whole('processes', 1, 4_194_304),
  nice: {
    allows: (value) => Number.isInteger(value) && value >= -20 && value <= 19,
    sentence: 'must be a whole number from -20 (first served) to 19 (last)',
  },
  memory: whole('bytes', 1_048_576, 1_000_000_000_000_000),
  cpus: {
    allows: (value) => value === 0 || (value >= 0.01 && value <= 10_000),
    sentence: 'must be 0 for no limit, or a number of processors from 0.01 to 10000',
  },
};

/** The kind of a limit's key. */
export function limit(name: keyof PluginLimits) {
  const { allows, sentence } = LIMIT_KINDS[name];
  return z.number(sentence).refine(allows, sentence);
}

/** The limits among the keys of a table, without the others. */
export function limitsOf({
  cpuseconds,
  addressspace,
  openfiles,
  filesize,
  processes,
  nice,
  memory,
  cpus,
}: PluginLimits): PluginLimits {
  return { cpuseconds, addressspace, openfiles, filesize, processes, nice, memory, cpus };
}

function whole(unit: string, least: number, most: number): LimitKind {
  return {
    allows: (value) => value === 0 || (Number.isInteger(value) && value >= least && value <= most),
    sentence: `must be 0 for no limit, or a whole number of ${unit} from ${least} to ${most}`,
  };
}
