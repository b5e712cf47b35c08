import { availableParallelism, homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** What the defaults depend on. */
export interface HostFacts {
  readonly root: boolean;
  /** Home folder of the agent's user. */
  readonly home: string;
  /** Folder of `XDG_RUNTIME_DIR`, where there is one. */
  readonly runtimeFolder: string | undefined;
  readonly cores: number;
}

/** The facts of this process. */
export function hostFacts(environment: NodeJS.ProcessEnv): HostFacts {
  const runtimeFolder = environment.XDG_RUNTIME_DIR ?? '';
  return {
    root: process.getuid?.() === 0,
    home: homeFolder(environment),
    runtimeFolder: isAbsolute(runtimeFolder) ? runtimeFolder : undefined,
    cores: availableParallelism(),
  };
}

/** Folders that are used when the file names none, and the user that plugins run as. */
export interface HostDefaults {
  readonly pluginsdir: string;
  readonly pluginsuser: string;
  readonly rundir: string;
  readonly statedir: string;
  readonly logdir: string;
}

/** The system's folders for root, those below the home folder for everybody else. */
export function hostDefaults(facts: HostFacts): HostDefaults {
  if (facts.root) {
    return {
      pluginsdir: '/var/lib/agent/plugins',
      pluginsuser: 'nobody',
      rundir: '/run/agent',
      statedir: '/var/lib/agent/state',
      logdir: '/var/log/agent',
    };
  }
  const state = join(facts.home, '.local/state/agent');
  return {
    pluginsdir: join(facts.home, '.local/share/agent/plugins'),
    pluginsuser: '',
    rundir: facts.runtimeFolder === undefined ? join(state, 'run') : join(facts.runtimeFolder, 'agent'),
    statedir: join(state, 'state'),
    logdir: join(state, 'log'),
  };
}

function homeFolder(environment: NodeJS.ProcessEnv): string {
  if (environment.HOME !== undefined && isAbsolute(environment.HOME)) return environment.HOME;
  try {
    return homedir();
  } catch {
    return '/'; // A user id without an entry in the user list has no home.
  }
}
