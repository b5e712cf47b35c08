import { CodedError } from '../../shared/coded-error.js';
import type { PluginLimits } from '../../shared/plugin-limits.js';
import { quoted } from '../../shared/quoted.js';
import { LIMIT_KINDS } from '../config/limit-kinds.js';

const NUMBER = /^-?\d+(?:\.\d+)?$/;
const NAMES = Object.keys(LIMIT_KINDS) as readonly (keyof PluginLimits)[];

/**
 * Reads the limits that an item sets in place of the configuration's, numbers also as texts; an empty text sets none.
 * @param fieldText the text of a field; undefined when it is missing
 * @returns undefined when the item sets none
 * @throws CodedError `item` that names the field and what would be right
 */
export function parseLimits(
  fieldText: (field: string) => string | undefined,
): Partial<PluginLimits> | undefined {
  const limits: Partial<Record<keyof PluginLimits, number>> = {};
  for (const name of NAMES) {
    const text = fieldText(name)?.trim() ?? '';
    if (text === '') continue;
    const value = NUMBER.test(text) ? Number(text) : Number.NaN;
    const { allows, sentence } = LIMIT_KINDS[name];
    if (!allows(value)) throw new CodedError('item', `"${name}" is ${quoted(text, 80)}, but ${sentence}`);
    limits[name] = value;
  }
  return Object.keys(limits).length === 0 ? undefined : limits;
}
