import { CodedError } from '../../shared/coded-error.js';
import { type AgentFolders, type LoadedConfig, loadConfig, loadFolders } from '../config/load-config.js';
import { type Command, type CommandOptions, requiredText } from './command.js';

/** `-f FILE`, the agent's configuration. */
export const FILE_OPTION = { file: { type: 'string', short: 'f' } } as const;

/** `-c OUTPUTS`, the configuration of output plugins. */
export const OUTPUTS_OPTION = { outputs: { type: 'string', short: 'c' } } as const;

/**
 * Loads the configuration of `-f`, which must be given.
 * @throws CodedError `usage`, `config`
 */
export function loadConfigOf(command: Command, options: CommandOptions): LoadedConfig {
  return loadConfig(requiredText(command, options, 'file', 'its configuration'), process.env);
}

/**
 * The folders of the agent that the configuration of `-f` describes, also when other keys of it are wrong by now.
 * @throws CodedError `usage`, `config`
 */
export function loadFoldersOf(command: Command, options: CommandOptions): AgentFolders {
  return loadFolders(requiredText(command, options, 'file', 'its configuration'), process.env);
}

/** Says on stderr what is odd about the configuration but no error. */
export function printWarnings({ warnings }: LoadedConfig): void {
  for (const warning of warnings) process.stderr.write(`agent: warning: ${warning}\n`);
}

/** @throws CodedError `usage` when `-c` is given */
export function refuseOutputs(options: CommandOptions): void {
  if (!options.given('outputs')) return;
  throw new CodedError(
    'usage',
    'Golang output plugins (-c) are not in this version yet; leave -c out, and choose with [output] name ' +
      'where points go',
  );
}
