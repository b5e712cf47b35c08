import { readlinkSync, realpathSync } from 'node:fs';
import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { codeOf } from '../../shared/coded-error.js';

const OUTPUT_DESCRIPTORS = [1, 2];
const OWNER_WRITES = 0o200;

/** What tells the processes of a run from all others of the machine. */
export interface RunTraits {
  /** The kernel's names of what the run's outputs are written to. */
  readonly outputs: readonly string[];
  /** Its working folder, as the kernel names it. */
  readonly folder: string;
  /** What its first process was started with. */
  readonly environment: Readonly<Record<string, string>>;
  /** Only processes of this user are looked at: a service that a plugin had the rights to start is not its own. */
  readonly uid: number;
}

/**
 * The kernel's names (`socket:[4711]`) of what a process that was just started writes its output to. Nobody but that
 * process and what descends from it holds them. Those that cannot be read, as of a process already gone, are missing.
 */
export function outputNames(pid: number): readonly string[] {
  const names: string[] = [];
  for (const descriptor of OUTPUT_DESCRIPTORS) {
    try {
      names.push(readlinkSync(`/proc/${pid}/fd/${descriptor}`));
    } catch {
      // Only the search for strays needs the name, and it has other traits to go by.
    }
  }
  return names.filter((name) => name.startsWith('socket:') || name.startsWith('pipe:'));
}

/** A folder as the kernel names it. A plugin that deletes its own folder may have done so already. */
export function realFolder(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

/**
 * Ends, with SIGKILL, every process that belongs to a run: one that still holds an output of it, or one in its folder
 * that has its environment. Returns their pids.
 */
export async function endStrays(run: RunTraits): Promise<readonly number[]> {
  const ended: number[] = [];
  for (const entry of await readdir('/proc').catch(() => [])) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid || !(await belongsTo(run, pid))) continue;
    try {
      process.kill(pid, 'SIGKILL');
      ended.push(pid);
    } catch (error) {
      if (codeOf(error) !== 'ESRCH' && codeOf(error) !== 'EPERM') throw error;
    }
  }
  return ended;
}

/** Processes end while they are looked at, and not all may be looked at: those are none of the run. */
async function belongsTo(run: RunTraits, pid: number): Promise<boolean> {
  const owner = await stat(`/proc/${pid}`).catch(() => undefined);
  if (owner?.uid !== run.uid) return false;
  return (await holdsOneOf(pid, run.outputs)) || (await livesIn(pid, run));
}

/**
 * Only what it can write to counts: a process that another thread is just starting holds copies of all that the agent
 * has open, for a moment, and of outputs that is the end to read from.
 */
async function holdsOneOf(pid: number, names: readonly string[]): Promise<boolean> {
  if (names.length === 0) return false;
  const folder = `/proc/${pid}/fd`;
  for (const descriptor of await readdir(folder).catch(() => [])) {
    const entry = `${folder}/${descriptor}`;
    if (names.includes(await readlink(entry).catch(() => '')) && (await isWritable(entry))) return true;
  }
  return false;
}

async function isWritable(descriptorEntry: string): Promise<boolean> {
  const entry = await lstat(descriptorEntry).catch(() => undefined);
  return entry !== undefined && (entry.mode & OWNER_WRITES) !== 0;
}

/** The folder alone would not do: a person may stand in it with a shell. */
async function livesIn(pid: number, { folder, environment }: RunTraits): Promise<boolean> {
  const place = await readlink(`/proc/${pid}/cwd`).catch(() => '');
  if (place !== folder && !place.startsWith(`${folder}/`) && place !== `${folder} (deleted)`) return false;
  const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  const variables = new Set(text.split('\0'));
  return Object.entries(environment).every(([name, value]) => variables.has(`${name}=${value}`));
}
