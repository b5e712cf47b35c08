import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../support/project-root.js';

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

const RESULT_FILE = join(PROJECT_ROOT, 'bench-result.json');

const figures: Figure[] = [];

/** Takes a figure down and prints it. */
export function note(name: string, value: number, unit: string): void {
  const rounded = keep(name, value, unit);
  process.stdout.write(`${name.padEnd(80)} ${String(rounded).padStart(10)} ${unit}\n`);
}

/** Takes a figure down that stands in a table of its own; gives it as it was taken down, rounded. */
export function keep(name: string, value: number, unit: string): number {
  const rounded = value >= 100 ? Math.round(value) : Math.round(value * 1000) / 1000;
  figures.push({ name, value: rounded, unit });
  return rounded;
}

/** Says what is going on. */
export function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

/** Writes all figures, with the machine they were taken on, in place of those of an earlier measurement. */
export function writeFigures(): void {
  write(figures);
}

/** Adds all figures to those that are in the file, in place of those with the same names. */
export function addFigures(): void {
  const names = new Set(figures.map(({ name }) => name));
  write([...figuresOfFile().filter(({ name }) => !names.has(name)), ...figures]);
}

function write(all: readonly Figure[]): void {
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length };
  const result = { machine, measuredAt: new Date().toISOString(), figures: all };
  writeFileSync(RESULT_FILE, `${JSON.stringify(result, null, 2)}\n`);
  say(`figures written to ${RESULT_FILE}`);
}

function figuresOfFile(): readonly Figure[] {
  if (!existsSync(RESULT_FILE)) return [];
  return (JSON.parse(readFileSync(RESULT_FILE, 'utf8')) as { figures: readonly Figure[] }).figures;
}
