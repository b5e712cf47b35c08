import { codeOf, reasonOf } from '../../shared/coded-error.js';

/** Why a file that the configuration names could not be read, in words that follow its path. */
export function readProblem(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such file';
    case 'EACCES':
    case 'EPERM':
      return `the user with id ${process.getuid?.()} may not read it`;
    default:
      return `cannot be read: ${reasonOf(error)}`;
  }
}
