import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError, codeOf } from '../../shared/coded-error.js';
import { counted } from '../../shared/counted.js';
import { isRunning } from '../../shared/process-identity.js';
import { readRunFolder } from '../lifecycle/run-folder.js';
import type { RunRecord } from '../lifecycle/run-record.js';
import { type CleanTarget, cleanUp } from './clean-up.js';
import type { Command, CommandOptions } from './command.js';
import { EXIT } from './exit-code.js';
import { FILE_OPTION, loadFoldersOf } from './file-option.js';
import { type FoundRun, findDefaultFolders, findDefaultRun } from './known-run-folders.js';

/** `agent stop` */
export const stopCommand: Command = {
  name: 'stop',
  summary: 'stop the agent; with -m clean also remove its plugins, state and spool',
  help: `agent stop [-f FILE] [-m clean]

Asks the agent to end and returns when its process is gone: no new runs, running plugins are ended, points on their
way are delivered, or wait in the spool. Without -f it means the agent of the default run folder.

  -f, --file FILE  the configuration that the agent was started with
  -m, --mode MODE  "clean": then remove the plugins, the spool with all that is not delivered, and all local state
                   too; works when the agent is not running. Log files stay, and so does everything that the agent
                   did not make.

Examples:
  agent stop
  agent stop -f /etc/agent/agent.toml -m clean

Exit status: 0 the agent is not running (any more), 1 failure, 2 wrong call or configuration.`,
  options: { ...FILE_OPTION, mode: { type: 'string', short: 'm' } },
  run: stop,
};

async function stop(options: CommandOptions): Promise<number> {
  const mode = options.text('mode');
  if (mode !== undefined && mode !== 'clean') {
    throw new CodedError('usage', `stop: there is no mode "${mode}" (-m); the only one is "clean"`);
  }
  const { found, configured } = meantRun(options);
  await endProcess(found, mode);
  if (mode === 'clean') {
    // Read again: what it ran with is known even when it cleaned up behind itself.
    const { record } = readRunFolder(found.rundir);
    const done = await cleanUp(found.rundir, record, configured);
    for (const line of done) process.stdout.write(`agent: ${line}\n`);
  }
  return EXIT.ok;
}

interface MeantRun {
  readonly found: FoundRun;
  /** The folders to clean where no record of a run names them. */
  readonly configured: CleanTarget;
}

function meantRun(options: CommandOptions): MeantRun {
  if (!options.given('file')) {
    return { found: findDefaultRun(process.env), configured: findDefaultFolders(process.env) };
  }
  const { rundir, ...configured } = loadFoldersOf(stopCommand, options);
  return { found: { rundir, state: readRunFolder(rundir), hint: '' }, configured };
}

async function endProcess({ rundir, state, hint }: FoundRun, mode: string | undefined): Promise<void> {
  if (state.kind !== 'running') {
    const how = state.kind === 'stale' ? ', it ended without cleaning up behind itself' : '';
    process.stdout.write(`agent: it is not running (run folder ${rundir})${how}${hint}\n`);
    return;
  }
  signal(state.record);
  await untilGone(state.record);
  process.stdout.write(`agent: stopped (pid ${state.record.pid})\n`);
  sayWhatIsLeft(rundir, state.record, mode);
}

function sayWhatIsLeft(
  rundir: string,
  { pid, startTicks, logdir }: RunRecord,
  mode: string | undefined,
): void {
  const { record } = readRunFolder(rundir);
  if (record?.pid !== pid || record.startTicks !== startTicks) return;
  const { lost, kept } = record;
  if (kept !== undefined) {
    const sentence =
      mode === 'clean'
        ? `removing ${counted(kept.points, 'point')} not delivered yet`
        : `${counted(kept.points, 'point waits', 'points wait')} on disk for the next start`;
    process.stdout.write(`agent: ${sentence}\n`);
  }
  if (lost === undefined) return;
  process.stderr.write(
    `agent: lost ${counted(lost.points, 'point')} in ${counted(lost.documents, 'document')} that could not be delivered; ` +
      `the log in ${logdir} says why\n`,
  );
}

function signal({ pid }: RunRecord): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return;
    if (codeOf(error) !== 'EPERM') throw error;
    throw new CodedError(
      'not-allowed',
      `the agent with pid ${pid} runs as another user; stop it as that user or as root`,
      {
        cause: error,
      },
    );
  }
}

/** Longer than the agent gives itself. */
const GIVE_UP_MS = 60_000;
const FIRST_WORD_MS = 3_000;
const NEXT_WORD_MS = 10_000;
const LOOK_AGAIN_MS = 50;

async function untilGone(record: RunRecord): Promise<void> {
  const askedAt = performance.now();
  let sayAt = FIRST_WORD_MS;
  while (isRunning(record)) {
    const waited = performance.now() - askedAt;
    if (waited > GIVE_UP_MS) {
      throw new CodedError(
        'still-running',
        `the agent with pid ${record.pid} still runs ${GIVE_UP_MS / 1000} s after it was asked to end, its log is in ` +
          `${record.logdir}; "kill -9 ${record.pid}" ends it at once, and points in its memory are lost then`,
      );
    }
    if (waited > sayAt) {
      process.stderr.write(
        `agent: waiting for pid ${record.pid} to end its plugins and to deliver the points on their way\n`,
      );
      sayAt += NEXT_WORD_MS;
    }
    await sleep(LOOK_AGAIN_MS);
  }
}
