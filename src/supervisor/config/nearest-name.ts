/** The name that was probably meant: the nearest by edit distance, or one that holds the other; else undefined. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  let nearest: string | undefined;
  let nearestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of names) {
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < nearestDistance) {
      nearest = candidate;
      nearestDistance = distance;
    }
  }
  return nearest ?? nameThatHolds(wanted, names);
}

const HELD_LENGTH_MIN = 3;

function nameThatHolds(wanted: string, names: readonly string[]): string | undefined {
  if (wanted.length < HELD_LENGTH_MIN) return undefined;
  return names.find(
    (name) => name.includes(wanted) || (name.length >= HELD_LENGTH_MIN && wanted.includes(name)),
  );
}

/** Longer than any name here; bounds the work on a strange one. */
const COMPARED_LENGTH_MAX = 64;

/** Insertions, deletions, replacements and swaps of neighbours that lead from one to the other. */
function editDistance(left: string, right: string): number {
  const a = left.slice(0, COMPARED_LENGTH_MAX);
  const b = right.slice(0, COMPARED_LENGTH_MAX);
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let least = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        least = Math.min(least, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(least);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
