import { existsSync, readdirSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';

/** A file that others may be named beside. */
export interface Beside {
  /** Absolute path of the file in which the path stands. */
  readonly file: string;
  /** Absolute path of the file that `-c` names. */
  readonly main: string;
}

/**
 * The absolute path that is meant: beside the file in which it stands; where nothing is there, beside the main file,
 * which is where Fluent Bit begins.
 */
export function besideFile(path: string, { file, main }: Beside): string {
  if (isAbsolute(path)) return path;
  const own = resolve(dirname(file), path);
  const other = resolve(dirname(main), path);
  return !existsSync(own) && existsSync(other) ? other : own;
}

/** True for a path that stands for any number of files. */
export function isPattern(path: string): boolean {
  return path.includes('*');
}

const MATCHES_MAX = 1000;

/**
 * The files that a pattern stands for, sorted by name: `*` and `?` within a name, and `[abc]`; names that begin with
 * a dot only where the pattern does. At most a thousand.
 */
export function filesOf(pattern: string, beside: Beside): readonly string[] {
  if (isAbsolute(pattern)) return matches(pattern);
  const own = matches(resolve(dirname(beside.file), pattern));
  return own.length > 0 ? own : matches(resolve(dirname(beside.main), pattern));
}

function matches(absolutePattern: string): readonly string[] {
  let found: readonly string[] = ['/'];
  for (const name of absolutePattern.split('/').filter((part) => part !== '')) {
    found = found.flatMap((folder) => step(folder, name)).slice(0, MATCHES_MAX);
  }
  return found;
}

function step(folder: string, name: string): readonly string[] {
  if (!/[*?[]/.test(name)) {
    const path = join(folder, name);
    return existsSync(path) ? [path] : [];
  }
  const expression = nameExpression(name);
  return namesIn(folder)
    .filter((entry) => expression.test(entry) && (!entry.startsWith('.') || name.startsWith('.')))
    .sort()
    .map((entry) => join(folder, entry));
}

/** What is no folder, or may not be read, holds nothing that matches. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function nameExpression(pattern: string): RegExp {
  // Stars in a row would make the search take exponential time.
  const source = pattern
    .replace(/\*+/g, '*')
    .replace(/\[(!?)([^\]]+)\]|[*?]|[\\^$+.()|{}[\]]/g, (found, not: string | undefined, set?: string) => {
      if (found === '*') return '.*';
      if (found === '?') return '.';
      if (set === undefined) return `\\${found}`;
      return `[${not === '!' ? '^' : ''}${set.replace(/[\\^\]]/g, '\\$&')}]`;
    });
  try {
    return new RegExp(`^${source}$`, 's');
  } catch {
    // A range that goes backwards, [z-a], matches nothing.
    return /^\b$/;
  }
}
