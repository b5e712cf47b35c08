/** The agent's variables that git gets; everything else (GIT_DIR, GIT_TRACE, secrets of the agent) stays out. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'TMPDIR',
  'TZ',
  'XDG_CONFIG_HOME',
  'SSH_AUTH_SOCK',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'http_proxy',
  'https_proxy',
  'HTTPS_PROXY',
  'all_proxy',
  'ALL_PROXY',
  'no_proxy',
  'NO_PROXY',
  'GIT_PROXY_COMMAND',
  'GIT_SSH',
  'GIT_SSH_COMMAND',
  'GIT_SSH_VARIANT',
  'GIT_SSL_CAINFO',
  'GIT_SSL_CAPATH',
  'GIT_SSL_CERT',
  'GIT_SSL_KEY',
  'GIT_CONFIG_GLOBAL',
  'GIT_CONFIG_SYSTEM',
  'GIT_CONFIG_NOSYSTEM',
] as const;

/**
 * Settings that win over the repository's and the operator's: no program runs but git's own, nothing goes on in the
 * background when git has ended, files come as they are in the repository, and small ones come cheaply.
 */
const SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.autocrlf=false',
  'core.fileMode=true',
  'core.logAllRefUpdates=false',
  // A version that a power failure cuts off is noticed and cloned again; the programs' files are not synced anyway.
  'core.fsync=none',
  // So few objects are cheaper without an index of their pack, and without the process that makes it.
  'fetch.unpackLimit=100',
  'core.askPass=',
  'protocol.ext.allow=never',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=false',
  'clone.defaultRemoteName=origin',
  'gc.auto=0',
  'maintenance.auto=false',
  'advice.detachedHead=false',
] as const;

/** `SETTINGS` as options, to stand before git's command. */
export const GIT_SETTINGS: readonly string[] = SETTINGS.flatMap((setting) => ['-c', setting]);

/**
 * The whole environment of git: nobody is asked for anything, only the allowed protocols work (after a redirect or a
 * rewritten address too), and messages are in English, since some of them are read.
 */
export function gitEnvironment(
  agent: NodeJS.ProcessEnv,
  allowedProtocols: readonly string[],
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = agent[name];
    if (value !== undefined) environment[name] = value;
  }
  if (environment.GIT_SSH_COMMAND === undefined && environment.GIT_SSH === undefined) {
    // Whether unknown host keys are taken is left to the operator's ssh configuration.
    environment.GIT_SSH_COMMAND = 'ssh -o BatchMode=yes';
  }
  return {
    ...environment,
    GIT_ALLOW_PROTOCOL: allowedProtocols.join(':'),
    GIT_TERMINAL_PROMPT: '0',
    // Set and empty: no program is started to ask for a password, whatever the configuration says.
    GIT_ASKPASS: '',
    SSH_ASKPASS_REQUIRE: 'never',
    GIT_OPTIONAL_LOCKS: '0',
    LC_ALL: 'C',
  };
}
