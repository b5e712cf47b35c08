import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of the segments in a spool's folder, oldest first. */
export function segmentPaths(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.segment'))
    .sort()
    .map((file) => join(folder, file));
}

/** Bytes on disk of a folder with all that is in it, as `du` has it. */
export function diskUse(path: string): number {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return 0;
  if (!found.isDirectory()) return found.blocks * 512;
  return readdirSync(path).reduce((sum, name) => sum + diskUse(join(path, name)), found.blocks * 512);
}
