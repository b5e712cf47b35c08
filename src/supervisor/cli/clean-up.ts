import { readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import { counted } from '../../shared/counted.js';
import { printable } from '../../shared/printable.js';
import { ownIdentity } from '../../shared/process-identity.js';
import { spoolFolderIn } from '../config/config-schema.js';
import { agentVersion } from '../lifecycle/agent-version.js';
import { RUN_FOLDER_FILES, RunFolder } from '../lifecycle/run-folder.js';
import type { RunRecord } from '../lifecycle/run-record.js';
import { removeAllPlugins } from '../plugin-store/plugins-removal.js';
import { removeSpools, type SpoolRemoval } from '../state/spool-files.js';
import { removeStateFiles } from '../state/state-files.js';

/** The folders that are cleaned. */
export interface CleanTarget {
  readonly pluginsdir: string;
  readonly statedir: string;
  readonly spooldir: string;
}

/**
 * Removes what an agent that does not run any more made: plugins, state, spool, its part of the run folder. Folders that
 * somebody else made stay, and what somebody else put into them; symbolic links are removed, never followed.
 * Returns what was done, a sentence each.
 * @param record of the last run; undefined when none is known
 * @throws CodedError `already-running` when an agent starts meanwhile, `clean` when something cannot be removed
 */
export async function cleanUp(
  rundir: string,
  record: RunRecord | undefined,
  configured: CleanTarget,
): Promise<string[]> {
  const folders = record === undefined ? configured : foldersOf(record);
  const { pluginsdir, statedir, spooldir } = folders;
  const logdir = record?.logdir;
  const made = record?.madeFolders ?? [];
  const hold = holdRunFolder(rundir, record, folders);
  try {
    const lines = [
      removedLine('plugin', await removeAllPlugins(pluginsdir), pluginsdir),
      removedLine('state file', await removeStateFiles(statedir), statedir),
      ...spoolLines(await removeSpools(spooldir), spooldir),
    ];
    removeEmptyFolders(made, [pluginsdir, spooldir, statedir]);
    if (logdir !== undefined) lines.push(`log files stay in ${logdir}`);
    return lines;
  } catch (error) {
    throw new CodedError('clean', `not everything could be removed: ${reasonOf(error)}`, { cause: error });
  } finally {
    hold?.release();
    if (hold !== undefined) removeRunFiles(rundir);
    removeEmptyFolders(made, [rundir]);
  }
}

/** A record of a version without a spool does not name one; a newer one may have run there before. */
function foldersOf({ pluginsdir, statedir, spooldir = spoolFolderIn(statedir) }: RunRecord): CleanTarget {
  return { pluginsdir, statedir, spooldir };
}

/** Keeps an agent from starting in the middle of it. Without a run folder there is none that could. */
function holdRunFolder(
  rundir: string,
  record: RunRecord | undefined,
  folders: CleanTarget,
): RunFolder | undefined {
  if (entriesOf(rundir) === undefined) return undefined;
  return RunFolder.claim(rundir, {
    logdir: '',
    configFile: '',
    madeFolders: [],
    ...record,
    ...folders,
    ...ownIdentity(),
    version: agentVersion(),
    startedAt: new Date().toISOString(),
    tcpAddress: undefined,
    socketPath: undefined,
  });
}

function removedLine(what: string, count: number, folder: string): string {
  return `removed ${counted(count, what)} from ${folder}`;
}

/** Foreign things named, at most. */
const FOREIGN_SHOWN_MAX = 10;

function spoolLines({ files, foreign }: SpoolRemoval, folder: string): string[] {
  if (files === 0 && foreign.length === 0) return [];
  const lines = [removedLine('spool file', files, folder)];
  if (foreign.length > 0) {
    const shown = foreign.slice(0, FOREIGN_SHOWN_MAX).map(printable).join(', ');
    const more = foreign.length > FOREIGN_SHOWN_MAX ? ` and ${foreign.length - FOREIGN_SHOWN_MAX} more` : '';
    lines.push(`what the agent did not make stays in ${folder}: ${shown}${more}`);
  }
  return lines;
}

function removeRunFiles(rundir: string): void {
  for (const name of entriesOf(rundir) ?? []) {
    const isOwn = RUN_FOLDER_FILES.some((file) => name === file || name.startsWith(`${file}.`));
    if (isOwn) rmSync(join(rundir, name), { force: true });
  }
}

/** Those of the made folders that are a target or above one, the deepest first. */
function removeEmptyFolders(made: readonly string[], targets: readonly string[]): void {
  const wanted = made.filter((folder) => targets.some((target) => `${target}/`.startsWith(`${folder}/`)));
  for (const folder of wanted.sort((one, other) => other.length - one.length)) removeEmptyFolder(folder);
}

function removeEmptyFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    const harmless = ['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS'];
    if (!harmless.includes(codeOf(error) ?? '')) throw error;
  }
}

/** Undefined when there is no such folder. */
function entriesOf(folder: string): string[] | undefined {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
