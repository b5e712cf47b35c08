import {
  chmodSync,
  closeSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import { isRunning } from '../../shared/process-identity.js';
import { parseRunRecord, type RunRecord } from './run-record.js';

/** There while the agent runs, and after it was killed. */
const CURRENT = 'agent.json';
/** What the last run was, for cleaning up after it. */
const LAST = 'last-run.json';

/** The unix socket that the agent listens on. */
export const SOCKET = 'agent.sock';

/** What an agent leaves in a run folder; beside them their temporary files after a power cut. */
export const RUN_FOLDER_FILES: readonly string[] = [CURRENT, LAST, SOCKET];

/** What a run folder says about its agent. */
export type RunState =
  | { readonly kind: 'running'; readonly record: RunRecord }
  /** The agent ended without cleaning up behind itself: killed, or the machine went down. */
  | { readonly kind: 'stale'; readonly record: RunRecord | undefined }
  /** `record`: of the last run, when there was one. */
  | { readonly kind: 'none'; readonly record: RunRecord | undefined };

/** Looks into a run folder without changing anything. */
export function readRunFolder(folder: string): RunState {
  const current = readHolder(join(folder, CURRENT));
  if (current !== undefined) {
    const { record } = current;
    if (record !== undefined && isRunning(record)) return { kind: 'running', record };
    return { kind: 'stale', record: record ?? readHolder(join(folder, LAST))?.record };
  }
  return { kind: 'none', record: readHolder(join(folder, LAST))?.record };
}

/** A run folder that this process holds; nobody else starts on it until `release`. */
export class RunFolder {
  readonly path: string;
  #record: RunRecord;

  private constructor(path: string, record: RunRecord) {
    this.path = path;
    this.#record = record;
  }

  /**
   * Makes the folder where it is missing and claims it, in place of an agent that is gone.
   * @throws CodedError `already-running` naming the pid of who holds it, `rundir` when the folder cannot be used
   */
  static claim(path: string, record: RunRecord): RunFolder {
    prepareFolder(path);
    try {
      claimFile(join(path, CURRENT), record);
      writeAtomically(join(path, LAST), record);
    } catch (error) {
      if (error instanceof CodedError) throw error;
      throw new CodedError('rundir', `run folder ${path} cannot be written: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    return new RunFolder(path, record);
  }

  /** Notes where the agent listens. */
  setAddresses(tcpAddress: string, socketPath: string): void {
    this.#record = { ...this.#record, tcpAddress, socketPath };
    writeAtomically(join(this.path, CURRENT), this.#record);
    writeAtomically(join(this.path, LAST), this.#record);
  }

  /** Notes what was not delivered, for whoever has asked the agent to end. */
  setRemains(remains: Pick<RunRecord, 'lost' | 'kept'>): void {
    this.#record = { ...this.#record, ...remains };
    writeAtomically(join(this.path, LAST), this.#record);
  }

  /** Gives the folder back. What the last run was stays noted. */
  release(): void {
    const holder = readHolder(join(this.path, CURRENT))?.record;
    if (holder?.pid === this.#record.pid && holder.startTicks === this.#record.startTicks) {
      rmSync(join(this.path, CURRENT), { force: true });
    }
  }
}

/** The folder is given away by whoever can write to it: that must be nobody but the agent's user and root. */
function prepareFolder(path: string): void {
  const uid = process.geteuid?.() ?? 0;
  try {
    const mode = uid === 0 ? 0o755 : 0o700;
    if (mkdirSync(path, { recursive: true, mode }) !== undefined) chmodSync(path, mode);
    const link = lstatSync(path);
    const folder = statSync(path);
    for (const owner of [link.uid, folder.uid]) {
      if (owner === uid || owner === 0) continue;
      throw unsafe(path, `belongs to the user with id ${owner}`);
    }
    if ((folder.mode & (uid === 0 ? 0o022 : 0o002)) !== 0)
      throw unsafe(path, 'can be written by other users');
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw new CodedError(
      'rundir',
      `run folder ${path} cannot be made: ${reasonOf(error)}; set [agent] rundir`,
      {
        cause: error,
      },
    );
  }
}

function unsafe(path: string, what: string): CodedError {
  return new CodedError(
    'rundir',
    `run folder ${path} ${what}, who could make the agent stop or harm other processes; ` +
      'set [agent] rundir to a folder of the agent alone',
  );
}

/** Who holds a claimed file, and which file exactly. */
interface Holder {
  readonly record: RunRecord | undefined;
  /** Differs for every file ever claimed under the same name. */
  readonly fileIdentity: string;
}

/**
 * Claims a file by linking a finished one to its name, which only one process can.
 *
 * A file left by a dead process is replaced under a second claim, made the same way, whose name comes from the dead
 * file: of several processes that see it dead only one gets it. Whoever gets it late, when the file was replaced
 * already, sees another file than it judged, and begins again.
 */
function claimFile(path: string, record: RunRecord): void {
  for (;;) {
    if (linkNew(path, record)) return;
    const holder = readHolder(path);
    if (holder === undefined) continue;
    if (holder.record !== undefined && isRunning(holder.record)) throw alreadyRunning(holder.record);
    const replacing = `${path}.after-${holder.fileIdentity}`;
    claimFile(replacing, record);
    try {
      if (readHolder(path)?.fileIdentity !== holder.fileIdentity) continue;
      writeAtomically(path, record);
      return;
    } finally {
      rmSync(replacing, { force: true });
    }
  }
}

/** The error of a start on a run folder that a living agent holds. */
export function alreadyRunning(record: RunRecord): CodedError {
  const { pid, configFile } = record;
  const stop = configFile === '' ? 'agent stop' : `agent stop -f ${configFile}`;
  return new CodedError('already-running', `the agent is already running with pid ${pid}; "${stop}" ends it`);
}

/** False when there is a file of that name already. */
function linkNew(path: string, record: RunRecord): boolean {
  const temporary = temporaryName(path);
  try {
    writeFileSync(temporary, JSON.stringify(record, null, 2), { flag: 'wx', mode: 0o644 });
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeAtomically(path: string, record: RunRecord): void {
  const temporary = temporaryName(path);
  try {
    writeFileSync(temporary, JSON.stringify(record, null, 2), { flag: 'wx', mode: 0o644 });
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

let temporaryCount = 0;

function temporaryName(path: string): string {
  temporaryCount += 1;
  return `${path}.${process.pid}-${Date.now()}-${temporaryCount}`;
}

/** Undefined when there is no such file. */
function readHolder(path: string): Holder | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  // One descriptor for both, as the name may get another file at any time.
  try {
    const { ino, mtimeMs } = fstatSync(descriptor);
    const fileIdentity = `${ino}-${Math.round(mtimeMs * 1000)}`;
    return { record: parseRunRecord(readFileSync(descriptor, 'utf8')), fileIdentity };
  } finally {
    closeSync(descriptor);
  }
}
