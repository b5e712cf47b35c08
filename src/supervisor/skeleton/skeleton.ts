import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import { isBuiltInOutput } from '../config/fluent-bit/built-in-outputs.js';

/** What a skeleton can be of: a Golang output plugin, or a program whose output the agent collects. */
export const SKELETON_KINDS = ['output', 'exec'] as const;

/** One of them. */
export type SkeletonKind = (typeof SKELETON_KINDS)[number];

/** What was written. */
export interface WrittenSkeleton {
  /** Absolute. */
  readonly folder: string;
  /** Names in it. */
  readonly files: readonly string[];
}

interface Template {
  /** Below `deploy/examples`: what is written is that example, under another name. */
  readonly example: string;
  /** The name that the example has. */
  readonly name: string;
  readonly folderOf: (name: string) => string;
}

const TEMPLATES: Readonly<Record<SkeletonKind, Template>> = {
  output: { example: 'output-plugin', name: 'jsonlines', folderOf: (name) => `out_${name}` },
  exec: { example: 'exec-plugin', name: 'diskfree', folderOf: (name) => name },
};

const EXAMPLES_FOLDER = fileURLToPath(new URL('../../../../deploy/examples/', import.meta.url));

/** What a build leaves in the folder of an example. */
const BUILT = /\.(?:so|h)$/;

/** Why a name cannot be a plugin's; undefined when it can. */
export function nameProblem(kind: SkeletonKind, name: string): string | undefined {
  if (!/^[a-z][a-z0-9_-]{0,31}$/.test(name)) {
    return 'must begin with a small letter and have at most 32 small letters, digits, "_" or "-", like "mydb"';
  }
  if (kind === 'exec' || !isBuiltInOutput(name)) return undefined;
  return 'is that of an output that is built into Fluent Bit, which would be used in its place there: choose another';
}

/**
 * Writes the skeleton of a plugin into a folder, which must not be there or be empty: nothing is ever overwritten.
 * @param folder default: one of the plugin's name in the current folder
 * @throws CodedError `usage` for a name that cannot be, `failed` when it cannot be written
 */
export function writeSkeleton(kind: SkeletonKind, name: string, folder: string | undefined): WrittenSkeleton {
  const problem = nameProblem(kind, name);
  if (problem !== undefined)
    throw new CodedError('usage', `plugin new: the name ${JSON.stringify(name)} ${problem}`);
  const template = TEMPLATES[kind];
  const target = resolve(folder ?? template.folderOf(name));
  makeEmptyFolder(target);
  const source = join(EXAMPLES_FOLDER, template.example);
  const files = readdirSync(source)
    .filter((file) => !BUILT.test(file))
    .sort();
  try {
    for (const file of files) copyFile(join(source, file), join(target, file), template.name, name);
  } catch (error) {
    throw new CodedError('failed', `${target} cannot be written: ${reasonOf(error)}`, { cause: error });
  }
  return { folder: target, files };
}

function copyFile(from: string, to: string, before: string, after: string): void {
  const text = readFileSync(from, 'utf8').replaceAll(before, after);
  // Fails where somebody else has made the file meanwhile.
  writeFileSync(to, text, { flag: 'wx' });
  if ((statSync(from).mode & 0o111) !== 0) chmodSync(to, 0o755);
}

function makeEmptyFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    if (readdirSync(folder).length === 0) return;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' && codeOf(error) !== 'ENOTDIR') {
      throw new CodedError('failed', `the folder ${folder} cannot be made: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }
  throw new CodedError(
    'failed',
    `${folder} is there already, and nothing in it is overwritten: name another place with --folder`,
  );
}
