/** Names what a parsed JSON value is, with its article: `a list`, `an object`, `a number`, `null`, … */
export function jsonKind(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value}`;
}
