import { counted } from '../../shared/counted.js';
import { printable } from '../../shared/printable.js';
import { checkLibrary, type LibraryCheck } from '../go-library/library-check.js';
import type { Command, CommandOptions } from './command.js';
import { EXIT } from './exit-code.js';

/** `agent plugin check` */
export const pluginCheckCommand: Command = {
  name: 'plugin check',
  summary: 'say whether a Golang output plugin (.so) can be used here',
  help: `agent plugin check FILE.so [--json]

Looks at a Golang output plugin before an agent has to trust it: is it a shared object for this machine, are the
libraries there that it needs, does it export what a host calls, which Go has built it and with which modules. Only where
nothing speaks against it, it is loaded, in a throw-away process with a time limit, to see which name it registers:
that name is what an output of a configuration has to have.

      --json   one JSON object in place of text

Examples:
  agent plugin check out_gstdout.so
  agent plugin check --json out_gstdout.so | jq -r .registration.name

Exit status: 0 it can be used, 1 something is wrong, 2 wrong call.`,
  options: { json: { type: 'boolean' } },
  words: ['the file of a library: agent plugin check FILE.so'],
  run: check,
};

async function check(options: CommandOptions): Promise<number> {
  const [path = ''] = options.words;
  const found = await checkLibrary(path, process.env);
  const text = options.given('json') ? JSON.stringify(jsonOf(found), null, 2) : textOf(found).join('\n');
  process.stdout.write(`${text}\n`);
  return found.problems.length === 0 ? EXIT.ok : EXIT.failure;
}

function textOf(found: LibraryCheck): readonly string[] {
  const lines = [found.file];
  for (const [name, title, text] of [
    ['file', 'file', found.kind],
    ['libraries', 'libraries', librariesText(found)],
    ['symbols', 'symbols', found.symbols?.exported.join(', ')],
    ['build', 'built by', buildText(found)],
    ['registration', 'registers', registrationText(found)],
  ] as const) {
    const wrong = found.problems.filter(({ check: of }) => of === name);
    const good = wrong.length === 0 || name === 'symbols' || name === 'registration' ? text : undefined;
    if (good !== undefined && good !== '') lines.push(line('ok', title, good));
    for (const { sentence } of wrong) lines.push(line('problem', title, `it ${sentence}`));
  }
  const { registration, problems } = found;
  if (problems.length === 0 && registration?.kind === 'registered') {
    lines.push(`It can be used: Name ${registration.name}`);
  } else if (problems.length > 0) {
    lines.push(`It cannot be used: ${counted(problems.length, 'problem')}`);
  }
  return lines.map(printable);
}

function line(word: 'ok' | 'problem', title: string, text: string): string {
  return `  ${word.padEnd(8)} ${title.padEnd(10)} ${text}`;
}

function librariesText({ needed }: LibraryCheck): string | undefined {
  if (needed === undefined) return undefined;
  if (needed.length === 0) return 'it needs none';
  return `those that it needs are there: ${needed.map(({ name }) => name).join(', ')}`;
}

function buildText({ build, kind, needed }: LibraryCheck): string | undefined {
  if (kind === undefined || needed === undefined) return undefined;
  if (build === undefined) return 'not by Go, or without a note of it';
  const main = build.main === undefined ? [] : [`module ${build.main.path} ${build.main.version}`];
  const modules = build.modules.map(({ path, version }) => `${path} ${version}`);
  return [build.version, ...main, ...(modules.length === 0 ? [] : [`with ${modules.join(', ')}`])].join(', ');
}

function registrationText({ registration }: LibraryCheck): string | undefined {
  if (registration?.kind !== 'registered') return undefined;
  const { name, description } = registration;
  return `"${name}"${description === '' ? '' : ` (${description})`}, for ${eventsText(registration.eventType)}`;
}

const EVENT_TYPES: Readonly<Record<number, string>> = { 0: 'logs', 1: 'logs', 2: 'metrics', 4: 'traces' };

function eventsText(eventType: number): string {
  return EVENT_TYPES[eventType] ?? `events of type ${eventType}`;
}

function jsonOf({ file, kind, needed, symbols, build, registration, problems }: LibraryCheck) {
  return {
    ok: problems.length === 0,
    file,
    kind: kind ?? null,
    libraries: needed?.map(({ name, path, neededBy }) => ({ name, path: path ?? null, neededBy })) ?? null,
    symbols: symbols ?? null,
    build: build === undefined ? null : { goVersion: build.version, ...withoutVersion(build) },
    registration:
      registration?.kind === 'registered'
        ? {
            name: registration.name,
            description: registration.description,
            eventType: registration.eventType,
            events: eventsText(registration.eventType),
          }
        : null,
    problems: problems.map(({ check: of, sentence }) => ({ check: of, message: `${file} ${sentence}` })),
  };
}

function withoutVersion({ main, modules, settings }: NonNullable<LibraryCheck['build']>) {
  return { main: main ?? null, modules, settings };
}
