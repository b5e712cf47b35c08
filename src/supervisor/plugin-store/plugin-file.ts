import { lstat, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { CodedError, codeOf } from '../../shared/coded-error.js';
import { PLUGIN_FILE } from '../../shared/messages.js';

/**
 * Says why the file `plugin` of a repository's folder cannot be run, or undefined when it can. Codes:
 * `plugin-missing`, `plugin-not-a-file`, `plugin-not-executable`.
 */
export async function pluginFileProblem(folder: string): Promise<CodedError | undefined> {
  const root = await realpath(folder);
  const path = join(root, PLUGIN_FILE);
  const entry = await lstat(path).catch(absent);
  if (entry === undefined) {
    return new CodedError('plugin-missing', 'the repository has no file "plugin" at its root; add it');
  }
  if (entry.isSymbolicLink() && !(await leadsInside(path, root))) {
    const wayOut = 'make it a file of the repository';
    return new CodedError(
      'plugin-not-a-file',
      `"plugin" is a link that leads nowhere in the repository; ${wayOut}`,
    );
  }
  const target = await stat(path);
  if (!target.isFile()) {
    const what = target.isDirectory() ? 'a folder' : 'no regular file';
    return new CodedError('plugin-not-a-file', `"plugin" is ${what}; it has to be an executable file`);
  }
  if ((target.mode & 0o100) === 0) {
    const wayOut = 'commit it with its executable bit (git update-index --chmod=+x plugin)';
    return new CodedError('plugin-not-executable', `"plugin" is not executable; ${wayOut}`);
  }
  if (target.size === 0) return new CodedError('plugin-not-executable', '"plugin" is an empty file; fill it');
  return undefined;
}

async function leadsInside(path: string, root: string): Promise<boolean> {
  const target = await realpath(path).catch(absent);
  if (target === undefined) return false;
  return target.startsWith(root + sep) && !target.startsWith(join(root, '.git') + sep);
}

/** Stands for what is not there, or is a link that ends nowhere or goes round in a circle. */
function absent(error: unknown): undefined {
  const code = codeOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
  throw error;
}
