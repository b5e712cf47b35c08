import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';

const figures: { name: string; value: number; unit: string }[] = [];

/** Takes a figure down and prints it. */
export function note(name: string, value: number, unit: string): void {
  const rounded = value >= 100 ? Math.round(value) : Math.round(value * 1000) / 1000;
  figures.push({ name, value: rounded, unit });
  process.stdout.write(`${name.padEnd(80)} ${String(rounded).padStart(10)} ${unit}\n`);
}

/** Says what is going on. */
export function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

/** Writes all figures, with the machine they were taken on. */
export function writeFigures(file: string): void {
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length };
  writeFileSync(
    file,
    `${JSON.stringify({ machine, measuredAt: new Date().toISOString(), figures }, null, 2)}\n`,
  );
  say(`figures written to ${file}`);
}
