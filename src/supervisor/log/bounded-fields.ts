import type { LogFields } from '../../shared/log.js';
import { withoutPasswords } from './credentials.js';

/** Characters of all the texts of a line together; room for the end of a plugin's stderr. */
const FIELDS_LENGTH_MAX = 24_576;
/** Characters of a sentence. */
export const MESSAGE_LENGTH_MAX = 8_192;
const DEPTH_MAX = 4;
const ENTRIES_MAX = 100;

/** The names that the log itself writes; a field that is called so gets an underscore behind. */
export const RESERVED_FIELDS: ReadonlySet<string> = new Set([
  'name',
  'hostname',
  'pid',
  'level',
  'component',
  'msg',
  'time',
  'src',
  'v',
]);

/** Copies fields as plain JSON values of a bounded size, whatever they were. */
export function boundedFields(fields: LogFields): Record<string, unknown> {
  const budget = { left: FIELDS_LENGTH_MAX };
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields).slice(0, ENTRIES_MAX)) {
    if (value === undefined || name === '__proto__') continue;
    const key = boundedText(name, 100);
    copy[RESERVED_FIELDS.has(key) ? `${key}_` : key] = bounded(value, DEPTH_MAX, budget);
  }
  return copy;
}

/** Text of at most `lengthMax` characters and a note of how many there were, without passwords of addresses. */
export function boundedText(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return withoutPasswords(text);
  return `${withoutPasswords(text.slice(0, lengthMax))}… [cut, ${text.length} characters in all]`;
}

interface Budget {
  left: number;
}

function bounded(value: unknown, depth: number, budget: Budget): unknown {
  switch (typeof value) {
    case 'string':
      return spend(value, budget);
    case 'number':
    case 'boolean':
      return Number.isFinite(value) || typeof value === 'boolean' ? value : String(value);
    case 'object':
      return value === null ? null : boundedObject(value, depth, budget);
    default:
      return spend(String(value), budget);
  }
}

function spend(text: string, budget: Budget): string {
  const copy = boundedText(text, budget.left);
  budget.left = Math.max(0, budget.left - text.length);
  return copy;
}

function boundedObject(value: object, depth: number, budget: Budget): unknown {
  if (value instanceof Error) return boundedError(value, depth, budget);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'no date' : value.toISOString();
  if (depth === 0 || ArrayBuffer.isView(value) || budget.left === 0) return '…';
  if (Array.isArray(value))
    return value.slice(0, ENTRIES_MAX).map((entry) => bounded(entry, depth - 1, budget));
  const copy: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(value).slice(0, ENTRIES_MAX)) {
    if (entry !== undefined && name !== '__proto__')
      copy[spend(name, budget)] = bounded(entry, depth - 1, budget);
  }
  return copy;
}

function boundedError(error: Error, depth: number, budget: Budget): unknown {
  const { name, message, stack = '' } = error;
  const copy: Record<string, unknown> = { name: spend(name, budget), message: spend(message, budget) };
  if ('code' in error) copy.code = bounded(error.code, 0, budget);
  if (error.cause !== undefined && depth > 0) copy.cause = bounded(error.cause, depth - 1, budget);
  copy.stack = spend(stack, budget);
  return copy;
}
