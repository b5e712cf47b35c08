import { readFileSync } from 'node:fs';

/** What the kernel counts in. */
export interface SystemValues {
  readonly pageBytes: number;
  readonly ticksPerSecond: number;
}

/** Types of entries of the auxiliary vector, from the kernel's auxvec.h. */
const AT_PAGESZ = 6n;
const AT_CLKTCK = 17n;

/** Values that the kernel gives every program at its start: pairs of words of the type and the value. */
export function readSystemValues(file = '/proc/self/auxv'): SystemValues {
  let pageBytes = 4096;
  let ticksPerSecond = 100;
  try {
    const vector = readFileSync(file);
    for (let place = 0; place + 16 <= vector.length; place += 16) {
      const value = Number(vector.readBigUInt64LE(place + 8));
      const type = vector.readBigUInt64LE(place);
      if (type === AT_PAGESZ) pageBytes = value;
      else if (type === AT_CLKTCK) ticksPerSecond = value;
    }
  } catch {
    // Not readable under some security rules: what nearly every machine has.
  }
  return { pageBytes, ticksPerSecond };
}
