import { closeSync, fstatSync, openSync, readFileSync, type Stats, statSync } from 'node:fs';
import { readProblem } from './read-problem.js';

const BYTES_MAX = 65_536;

/** Says why a file with a secret cannot be used, and what to do; undefined when it can. Never the secret. */
export function secretFileProblem(file: string): string | undefined {
  const { problem } = readSecret(file);
  return problem;
}

/** Says why a PEM file cannot be used; undefined when it can. */
export function pemFileProblem(file: string): string | undefined {
  const { text, problem } = readSmallFile(file);
  if (problem !== undefined) return problem;
  return text.includes('-----BEGIN ') ? undefined : 'holds no PEM block ("-----BEGIN …")';
}

/** Says why the PEM file of a private key cannot be used; undefined when it can. */
export function privateKeyFileProblem(file: string): string | undefined {
  const { stats } = readSmallFile(file);
  return pemFileProblem(file) ?? (stats === undefined ? undefined : openToAll(stats));
}

interface FileReading {
  readonly text: string;
  readonly problem: string | undefined;
}

function readSecret(file: string): FileReading {
  const { text, stats, problem } = readSmallFile(file);
  const secret = text.trim();
  if (problem !== undefined) return refused(problem);
  const tooOpen = stats === undefined ? undefined : openToAll(stats);
  if (tooOpen !== undefined) return refused(tooOpen);
  if (secret === '') return refused('is empty: put the secret into it, on one line');
  if (!/^[\x21-\x7e]+$/.test(secret)) {
    return refused('must hold one line of ASCII characters without blanks');
  }
  return { text: secret, problem: undefined };
}

function openToAll({ mode }: Stats): string | undefined {
  if ((mode & 0o006) === 0) return undefined;
  const digits = (mode & 0o777).toString(8).padStart(4, '0');
  return `every user of this machine can read or change it (mode ${digits}): run chmod o-rw on it`;
}

function refused(problem: string): FileReading {
  return { text: '', problem };
}

function readSmallFile(file: string): FileReading & { readonly stats?: Stats } {
  try {
    // Asked before it is opened: opening a named pipe would wait for a writer.
    const kind = statSync(file);
    if (kind.isDirectory()) return refused('is a folder, not a file');
    if (!kind.isFile()) return refused('is no regular file');
    const descriptor = openSync(file, 'r');
    try {
      const stats = fstatSync(descriptor);
      if (stats.size > BYTES_MAX) return refused(`is larger than ${BYTES_MAX} bytes`);
      return { text: readFileSync(descriptor, 'utf8'), stats, problem: undefined };
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return refused(readProblem(error));
  }
}
