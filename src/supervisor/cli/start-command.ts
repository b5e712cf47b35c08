import { resolvePluginsUser } from '../lifecycle/plugins-user.js';
import { prepareConfig } from '../lifecycle/prepared-config.js';
import { alreadyRunning, readRunFolder } from '../lifecycle/run-folder.js';
import type { Command, CommandOptions } from './command.js';
import { startDaemon } from './daemon.js';
import { EXIT } from './exit-code.js';
import { FILE_OPTION, loadConfigOf, OUTPUTS_OPTION, printWarnings, readOutputsOf } from './file-option.js';
import { runAgent } from './run-agent.js';

/** `agent start` */
export const startCommand: Command = {
  name: 'start',
  summary: 'start the agent; in the foreground, or in the background with --daemon',
  help: `agent start -f FILE [-c FILE] [--daemon]

Starts the agent with the configuration FILE (TOML; deploy/agent.sample.toml shows every key).
Everything that is wrong with it is said before anything is started.

  -f, --file FILE     the configuration
      --daemon        start in the background: returns when the agent is up, and prints its pid and addresses
  -c, --outputs FILE  Golang output plugins beside [output]: a configuration of Fluent Bit, in its classic or YAML form

In the foreground Ctrl-C (SIGINT) or SIGTERM ends it: running plugins are ended, points on their way are delivered.
One agent runs per run folder ([agent] rundir): a second start is refused with the pid of the first.

Examples:
  agent start -f deploy/agent.sample.toml
  agent start -f /etc/agent/agent.toml --daemon
  agent start -f /etc/agent/agent.toml -c /etc/agent/outputs.conf
  AGENT_LOG_LOGLEVEL=DEBUG agent start -f agent.toml

Exit status: 0 it ran and was stopped (with --daemon: it is up), 1 failure, 2 wrong call or configuration.`,
  options: { ...FILE_OPTION, ...OUTPUTS_OPTION, daemon: { type: 'boolean' } },
  run: start,
};

async function start(options: CommandOptions): Promise<number> {
  const loaded = loadConfigOf(startCommand, options);
  const outputsFile = readOutputsOf(options);
  const { agent, runner } = loaded.config;
  resolvePluginsUser(agent.pluginsuser, runner.allowroot);
  if (!options.given('daemon')) {
    const prepared = await prepareConfig(loaded, outputsFile, process.env);
    return runAgent(prepared, { foreground: true, onReady: (running) => printUp(process.stderr, running) });
  }
  // The agent in the background writes them to its log, and has the libraries of plugins register.
  printWarnings({ warnings: [...loaded.warnings, ...(outputsFile?.warnings ?? [])] });
  const state = readRunFolder(agent.rundir);
  if (state.kind === 'running') throw alreadyRunning(state.record);
  printUp(process.stdout, await startDaemon(loaded.file, outputsFile?.file));
  return EXIT.ok;
}

interface Up {
  readonly pid: number;
  readonly tcpAddress: string;
  readonly socketPath: string;
}

function printUp(stream: NodeJS.WritableStream, { pid, tcpAddress, socketPath }: Up): void {
  stream.write(`agent: running with pid ${pid}, HTTP on ${tcpAddress} and ${socketPath}\n`);
}
