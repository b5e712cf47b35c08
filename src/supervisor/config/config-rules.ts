import { join } from 'node:path';
import type { Config } from './config.js';
import { isFolderWithin, isSystemFolder } from './folder-rules.js';
import { outputProblems } from './output-rules.js';
import type { KeyName, RuleContext, RuleProblem } from './rule-problem.js';
import { pemFileProblem, secretFileProblem } from './secret-file.js';
import { spoolProblems } from './spool-rules.js';

/** Everything that a look at single keys cannot find. */
export function ruleProblems(config: Config, context: RuleContext): readonly RuleProblem[] {
  return [
    ...registryProblems(config),
    ...gitProblems(config),
    ...userProblems(config, context),
    ...folderProblems(config, context),
    ...outputProblems(config, context),
    ...spoolProblems(config, context),
    ...fileProblems(config),
  ];
}

function registryProblems({ agent }: Config): readonly RuleProblem[] {
  if (agent.registryaddr !== '') return [];
  const sentence =
    'is missing: give the address of the registry, like "https://registry.example.com", or "file:" and the path of a JSON document';
  return [{ keys: ['agent.registryaddr'], sentence }];
}

function gitProblems({ agent }: Config): readonly RuleProblem[] {
  const problems: RuleProblem[] = [];
  if (agent.gitprotocols.length === 0) {
    problems.push({
      keys: ['agent.gitprotocols'],
      sentence: 'must name at least one protocol, like ["https", "ssh"]',
    });
  }
  return problems;
}

function userProblems({ agent, runner }: Config, { root }: RuleContext): readonly RuleProblem[] {
  const asRoot =
    agent.pluginsuser === 'root' || /^0+$/.test(agent.pluginsuser) || (root && agent.pluginsuser === '');
  if (!asRoot || runner.allowroot) return [];
  const sentence =
    'would run plugins as root: name another user, or set [runner] allowroot = true if that is meant';
  return [{ keys: ['agent.pluginsuser', 'runner.allowroot'], sentence }];
}

/** Bytes of a path that leave room for a socket's name; the system allows 107 in all. */
const RUNDIR_BYTES_MAX = 90;

function folderProblems(config: Config, context: RuleContext): readonly RuleProblem[] {
  const { pluginsdir, statedir, rundir } = config.agent;
  const own: readonly NamedFolder[] = [
    { key: 'agent.pluginsdir', folder: pluginsdir },
    { key: 'agent.statedir', folder: statedir },
    { key: 'agent.rundir', folder: rundir },
  ];
  // More about a folder of the system would only hide what is wrong.
  const systemProblems = own.flatMap((named) => systemFolderProblem(named, context));
  if (systemProblems.length > 0) return systemProblems;
  if (Buffer.byteLength(rundir) > RUNDIR_BYTES_MAX) {
    const sentence = `must be at most ${RUNDIR_BYTES_MAX} bytes long: the path of a unix socket in it would not fit`;
    return [{ keys: ['agent.rundir'], sentence }, ...nestedFolderProblems(config, context)];
  }
  return nestedFolderProblems(config, context);
}

interface NamedFolder {
  readonly key: KeyName;
  readonly folder: string;
}

function systemFolderProblem({ key, folder }: NamedFolder, { home }: RuleContext): readonly RuleProblem[] {
  if (!isSystemFolder(folder, home)) return [];
  const example = JSON.stringify(join(folder, 'agent'));
  return [
    { keys: [key], sentence: `is a folder of the system: give the agent one of its own, like ${example}` },
  ];
}

function nestedFolderProblems({ agent, log }: Config, { file }: RuleContext): readonly RuleProblem[] {
  const { pluginsdir, statedir, rundir } = agent;
  const problems: RuleProblem[] = [];
  const add = (sentence: string, ...keys: RuleProblem['keys']) => problems.push({ keys, sentence });

  const removed: readonly NamedFolder[] = [
    { key: 'agent.pluginsdir', folder: pluginsdir },
    { key: 'agent.statedir', folder: statedir },
  ];
  for (const { key, folder } of removed) {
    if (!isFolderWithin(file, folder)) continue;
    add('holds this configuration file, which "agent stop -m clean" would remove: use another folder', key);
  }
  const pluginsInState = isFolderWithin(pluginsdir, statedir);
  if (pluginsInState) {
    add('must not be statedir or lie in it: they are removed apart', 'agent.pluginsdir', 'agent.statedir');
  }
  const others: readonly NamedFolder[] = [
    ...(pluginsInState ? [] : [{ key: 'agent.statedir' as const, folder: statedir }]),
    { key: 'agent.rundir', folder: rundir },
    { key: 'log.logdir', folder: log.logdir },
  ];
  for (const { key, folder } of others) {
    if (!isFolderWithin(folder, pluginsdir)) continue;
    add(
      'must not be pluginsdir or lie in it: that folder holds nothing but plugins',
      key,
      'agent.pluginsdir',
    );
  }
  return problems;
}

function fileProblems({ agent, http }: Config): readonly RuleProblem[] {
  const files: readonly (readonly [KeyName, string, (file: string) => string | undefined])[] = [
    ['agent.registryca', agent.registryca, pemFileProblem],
    ['http.tokenfile', http.tokenfile, secretFileProblem],
  ];
  return files.flatMap(([key, file, problemOf]) => {
    const sentence = file === '' ? undefined : problemOf(file);
    return sentence === undefined ? [] : [{ keys: [key] as const, sentence }];
  });
}
