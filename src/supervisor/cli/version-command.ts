import { agentVersion } from '../lifecycle/agent-version.js';
import type { Command } from './command.js';
import { EXIT } from './exit-code.js';

/** `agent version` */
export const versionCommand: Command = {
  name: 'version',
  summary: 'print the version of the agent and of Node.js',
  help: `agent version

Prints the version of the agent, and of the Node.js that runs it. "agent --version" does the same.

Example:
  agent version`,
  options: {},
  run: async () => {
    process.stdout.write(`agent ${agentVersion()} (Node.js ${process.version})\n`);
    return EXIT.ok;
  },
};
