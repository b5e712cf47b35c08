import { readRunFolder } from '../lifecycle/run-folder.js';
import type { Command, CommandOptions } from './command.js';
import { EXIT } from './exit-code.js';
import { FILE_OPTION, loadFoldersOf } from './file-option.js';
import { type FoundRun, findDefaultRun } from './known-run-folders.js';
import { askStatus } from './status-answer.js';
import { statusSummary } from './status-summary.js';

/** `agent status` */
export const statusCommand: Command = {
  name: 'status',
  summary: 'say whether the agent runs, and how it stands',
  help: `agent status [-f FILE] [--json]

Asks the running agent how it stands: namespaces, plugins, runs, deliveries. Without -f it means the agent of the
default run folder.

  -f, --file FILE  the configuration that the agent was started with
      --json       the whole answer as JSON, for programs

Examples:
  agent status
  agent status -f /etc/agent/agent.toml --json

Exit status: 0 it runs and answers, 1 it does not, 2 wrong call or configuration.`,
  options: { ...FILE_OPTION, json: { type: 'boolean' } },
  run: status,
};

async function status(options: CommandOptions): Promise<number> {
  const { rundir, state, hint } = meantRun(options);
  if (state.kind === 'none') {
    process.stderr.write(`agent: it is not running (run folder ${rundir})${hint}\n`);
    return EXIT.failure;
  }
  if (state.kind === 'stale') {
    const who =
      state.record === undefined ? '' : ` with pid ${state.record.pid}, started ${state.record.startedAt}`;
    process.stderr.write(
      `agent: it is not running; the one${who} ended without cleaning up behind itself (run folder ${rundir})\n`,
    );
    return EXIT.failure;
  }
  const answer = await askStatus(state.record);
  if (options.given('json')) process.stdout.write(`${answer}\n`);
  else process.stdout.write(`${statusSummary(state.record, JSON.parse(answer))}\n`);
  return EXIT.ok;
}

function meantRun(options: CommandOptions): FoundRun {
  if (!options.given('file')) return findDefaultRun(process.env);
  const { rundir } = loadFoldersOf(statusCommand, options);
  return { rundir, state: readRunFolder(rundir), hint: '' };
}
