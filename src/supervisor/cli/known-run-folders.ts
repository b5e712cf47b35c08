import { isAbsolute } from 'node:path';
import { spoolFolderIn } from '../config/config-schema.js';
import { hostDefaults, hostFacts } from '../config/host-facts.js';
import { type RunState, readRunFolder } from '../lifecycle/run-folder.js';

import type { CleanTarget } from './clean-up.js';

/** A run folder and what it says. */
export interface FoundRun {
  readonly rundir: string;
  readonly state: RunState;
  /** Stands behind the sentence that no agent runs there: where else to look. Empty when it was named. */
  readonly hint: string;
}

const HINT = '; one with a run folder of its own is found with -f and its configuration';

/**
 * The agent that `stop` and `status` mean without `-f`: that of the default run folder. A session with and one
 * without `XDG_RUNTIME_DIR` have different defaults; of the two, the folder where an agent runs or ran.
 */
export function findDefaultRun(environment: NodeJS.ProcessEnv): FoundRun {
  const runs = defaultRunFolders(environment).map((rundir) => ({
    rundir,
    state: readRunFolder(rundir),
    hint: HINT,
  }));
  const [first] = runs;
  const found =
    runs.find(({ state }) => state.kind === 'running') ??
    runs.find(({ state }) => state.record !== undefined) ??
    first;
  return found ?? { rundir: '', state: { kind: 'none', record: undefined }, hint: HINT };
}

/** The folders that an agent whose configuration names none has its plugins, its state and its spool in. */
export function findDefaultFolders(environment: NodeJS.ProcessEnv): CleanTarget {
  const { pluginsdir, statedir } = hostDefaults(hostFacts(environment));
  return { pluginsdir, statedir, spooldir: spoolFolderIn(statedir) };
}

function defaultRunFolders(environment: NodeJS.ProcessEnv): string[] {
  const named = environment.AGENT_AGENT_RUNDIR ?? '';
  if (isAbsolute(named)) return [named];
  const facts = hostFacts(environment);
  const folders = [facts, { ...facts, runtimeFolder: undefined }].map((each) => hostDefaults(each).rundir);
  return [...new Set(folders)];
}
