/**
 * A count and what is counted: `1 point`, `7 points`. What depends on the number beside the noun goes along with it:
 * `counted(count, 'point waits', 'points wait')`.
 */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
