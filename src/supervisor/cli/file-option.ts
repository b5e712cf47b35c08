import { type OutputsFile, readOutputsFile } from '../config/fluent-bit/outputs-file.js';
import { type AgentFolders, type LoadedConfig, loadConfig, loadFolders } from '../config/load-config.js';
import { type Command, type CommandOptions, requiredText } from './command.js';

/** `-f FILE`, the agent's configuration. */
export const FILE_OPTION = { file: { type: 'string', short: 'f' } } as const;

/** `-c OUTPUTS`, the configuration of Golang output plugins. */
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
export function printWarnings({ warnings }: Pick<LoadedConfig, 'warnings'>): void {
  for (const warning of warnings) process.stderr.write(`agent: warning: ${warning}\n`);
}

/**
 * Reads the configuration of `-c`; undefined when it is not given. Loads no library.
 * @throws CodedError `config`
 */
export function readOutputsOf(options: CommandOptions): OutputsFile | undefined {
  const path = options.text('outputs');
  return path === undefined ? undefined : readOutputsFile(path, process.env);
}
