import type { PluginUser } from '../../shared/messages.js';
import type { PluginDefinition } from '../registry/plugin-definition.js';

/** Taken from the agent's own environment, where they are set. */
const INHERITED = ['PATH', 'LANG', 'TZ'] as const;

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What of a run its environment tells. */
export interface RunPlace {
  readonly plugin: PluginDefinition;
  readonly user: PluginUser | undefined;
  readonly timeoutMs: number;
  readonly stateFolder: string;
}

/**
 * The whole environment of a plugin's run: nothing of the agent's own gets through but what is named here or in the
 * configuration.
 * @param passed names of further variables of the agent's environment (`[runner] environment`)
 */
export function pluginEnvironment(
  { plugin, user, timeoutMs, stateFolder }: RunPlace,
  passed: readonly string[],
  own: NodeJS.ProcessEnv,
): Record<string, string> {
  const environment: Record<string, string> = { PATH: DEFAULT_PATH };
  for (const name of [...INHERITED, ...passed]) {
    const value = own[name];
    if (value !== undefined) environment[name] = value;
  }
  environment.HOME = user?.home ?? own.HOME ?? '/';
  environment.AGENT_NAMESPACE = plugin.namespace;
  environment.AGENT_PLUGIN = plugin.name;
  environment.AGENT_INTERVAL = plugin.interval.kind === 'every' ? String(plugin.interval.seconds) : '0';
  environment.AGENT_STATE = stateFolder;
  environment.AGENT_TIMEOUT = String(timeoutMs / 1000);
  return environment;
}
