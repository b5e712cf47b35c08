import type { Command } from './command.js';

/** What `agent help` prints. */
export function generalHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const list = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `Usage: agent COMMAND [OPTIONS]

Runs plugins on schedule and delivers the metrics they print to NSQ.

${list.join('\n')}
  ${'help'.padEnd(width)}  explain a command: agent help COMMAND, or agent COMMAND --help

Examples:
  agent demo                                try it: example plugins, points on stdout
  agent check -f deploy/agent.sample.toml   say what is wrong with a configuration
  agent start -f deploy/agent.sample.toml   run in the foreground, Ctrl-C ends it
  agent stop                                end the agent

Exit status: 0 success, 1 failure, 2 wrong call or configuration.`;
}
