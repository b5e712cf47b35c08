import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { codeOf } from './coded-error.js';

/**
 * What is in a folder; nothing where there is no such folder.
 * @throws what the system says when it cannot be read
 */
export async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}
