import { relative } from 'node:path';
import { CodedError } from '../../shared/coded-error.js';
import {
  SKELETON_KINDS,
  type SkeletonKind,
  type WrittenSkeleton,
  writeSkeleton,
} from '../skeleton/skeleton.js';
import type { Command, CommandOptions } from './command.js';
import { EXIT } from './exit-code.js';

/** `agent plugin new` */
export const pluginNewCommand: Command = {
  name: 'plugin new',
  summary: 'write the skeleton of a Golang output plugin, or of a plugin to be run',
  help: `agent plugin new NAME [--kind output|exec] [--folder FOLDER]

Writes a plugin to begin with, which builds and runs as it stands:

  --kind output   an output plugin in Go (the default): source, go.mod, Makefile, README and a configuration to try it,
                  in the folder out_NAME; other hosts that load Golang output plugins can use it, too
  --kind exec     a plugin that the agent runs for its metrics: program, test and README for a git repository, in the
                  folder NAME

      --folder FOLDER   in place of that folder; it must not be there, or be empty: nothing is overwritten

NAME begins with a small letter and has small letters, digits, "_" or "-".

Examples:
  agent plugin new mydb && make -C out_mydb
  agent plugin new queue-length --kind exec

Exit status: 0 it is written, 1 failure, 2 wrong call.`,
  options: { kind: { type: 'string' }, folder: { type: 'string' } },
  words: ['a name for the plugin: agent plugin new NAME'],
  run: create,
};

async function create(options: CommandOptions): Promise<number> {
  const [name = ''] = options.words;
  const kind = kindOf(options.text('kind') ?? 'output');
  const folder = options.text('folder');
  if (folder === '') throw new CodedError('usage', 'plugin new: --folder needs the path of a folder');
  process.stdout.write(invitation(kind, name, writeSkeleton(kind, name, folder)));
  return EXIT.ok;
}

function kindOf(word: string): SkeletonKind {
  const kind = SKELETON_KINDS.find((known) => known === word);
  if (kind !== undefined) return kind;
  throw new CodedError(
    'usage',
    `plugin new: there is no kind ${JSON.stringify(word)}; there are ${SKELETON_KINDS.join(' and ')}`,
  );
}

function invitation(kind: SkeletonKind, name: string, { folder, files }: WrittenSkeleton): string {
  const place = relative(process.cwd(), folder) || '.';
  const steps =
    kind === 'output'
      ? [`make -C ${place}`, `agent plugin check ${place}/out_${name}.so`]
      : [`${place}/test`, `git -C ${place} init`];
  return `${folder}: ${files.join(', ')}\nNext:\n${steps.map((step) => `  ${step}\n`).join('')}`;
}
