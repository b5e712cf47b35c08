import { CodedError } from '../../shared/coded-error.js';
import { problemList } from '../config/config-problem.js';
import type { OutputsFile } from '../config/fluent-bit/outputs-file.js';
import type { LoadedConfig } from '../config/load-config.js';
import type { GoOutput } from './go-output-settings.js';
import { goOutputs } from './go-outputs.js';

/** A configuration that is ready to be run: the libraries of Golang output plugins have been found and asked. */
export interface PreparedConfig extends LoadedConfig {
  readonly goOutputs: readonly GoOutput[];
  /** Why libraries cannot be used, in sentences for the log. */
  readonly failures: readonly string[];
}

/**
 * Has the libraries of Golang output plugins register, each in a throw-away process, and makes settings of the outputs.
 * Takes no time where there are none.
 * @param outputsFile of `-c`; undefined when it is not given
 * @throws CodedError `config` for a mistake in the configuration; a library that fails is none
 */
export async function prepareConfig(
  loaded: LoadedConfig,
  outputsFile: OutputsFile | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<PreparedConfig> {
  const { config, file } = loaded;
  const { outputs, warnings, failures, problems } = await goOutputs({
    config,
    file,
    outputsFile,
    environment,
  });
  // Whoever has to put it right wants to hear of the libraries, too.
  if (problems.length > 0) throw new CodedError('config', problemList([...failures, ...problems]));
  return { ...loaded, warnings: [...loaded.warnings, ...warnings], goOutputs: outputs, failures };
}
