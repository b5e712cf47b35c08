import { join } from 'node:path';
import type { Config } from './config.js';
import { spoolFolderIn } from './config-schema.js';
import { isFolderWithin, isSystemFolder } from './folder-rules.js';
import type { KeyName, RuleContext, RuleProblem } from './rule-problem.js';

/** What is wrong with `[spool]` beside the other tables. */
export function spoolProblems(config: Config, context: RuleContext): readonly RuleProblem[] {
  return [...modeProblems(config), ...sizeProblems(config), ...folderProblems(config, context)];
}

function modeProblems({ spool, outputs }: Config): readonly RuleProblem[] {
  if (spool.mode !== 'off' || outputs.length === 0) return [];
  const sentence =
    'must be "overflow" or "always" with [[outputs]]: without the disk an output that is away would hold up the others';
  return [{ keys: ['spool.mode'], sentence }];
}

/** A document takes at most a quarter of what an output may have at a time, which is a quarter of its share. */
export const DOCUMENTS_PER_SHARE = 16;

function sizeProblems({ spool, output, outputs }: Config): readonly RuleProblem[] {
  const count = 1 + outputs.length;
  const least = count * DOCUMENTS_PER_SHARE * output.maxmessagesize;
  if (spool.mode === 'off' || spool.maxbytes >= least) return [];
  const outputsText = count === 1 ? 'the output' : `each of the ${count} outputs`;
  const sentence = `must be ${least} at least: ${outputsText} needs room for ${DOCUMENTS_PER_SHARE} messages of [output] maxmessagesize`;
  return [{ keys: ['spool.maxbytes', 'output.maxmessagesize'], sentence }];
}

function folderProblems(config: Config, { file, home }: RuleContext): readonly RuleProblem[] {
  const { pluginsdir, statedir, rundir } = config.agent;
  const { dir } = config.spool;
  const isNamed = dir !== spoolFolderIn(statedir);
  if (isNamed && isSystemFolder(dir, home)) {
    const example = JSON.stringify(join(dir, 'agent-spool'));
    const sentence = `is a folder of the system: give the spool one of its own, like ${example}`;
    return [{ keys: ['spool.dir'], sentence }];
  }
  const problems: RuleProblem[] = [];
  if (isNamed && isFolderWithin(file, dir)) {
    problems.push({
      keys: ['spool.dir'],
      sentence: 'holds this configuration file: that folder is for nothing but the spool, use another one',
    });
  }
  if (isNamed) problems.push(...withinProblems(dir, { pluginsdir, rundir }));
  const others: readonly (readonly [KeyName, string])[] = [
    ['agent.pluginsdir', pluginsdir],
    ['agent.statedir', statedir],
    ['agent.rundir', rundir],
    ['log.logdir', config.log.logdir],
  ];
  for (const [key, folder] of others) {
    // Of the same folder for two things one problem is enough.
    if (!isFolderWithin(folder, dir) || (isNamed && isFolderWithin(dir, pluginsdir))) continue;
    if (!isNamed && key === 'agent.pluginsdir') continue; // It lies in statedir then, which is a problem already.
    const name = key.slice(key.indexOf('.') + 1);
    problems.push(
      isNamed
        ? {
            keys: ['spool.dir', key],
            sentence: `must not be ${name} or hold it: give the spool a folder of its own`,
          }
        : {
            keys: [key, 'spool.dir'],
            sentence: `must not be ${dir} or lie in it: that folder holds nothing but the spool`,
          },
    );
  }
  return problems;
}

function withinProblems(
  dir: string,
  { pluginsdir, rundir }: { readonly pluginsdir: string; readonly rundir: string },
): readonly RuleProblem[] {
  if (isFolderWithin(dir, pluginsdir)) {
    const sentence = 'must not be pluginsdir or lie in it: that folder holds nothing but plugins';
    return [{ keys: ['spool.dir', 'agent.pluginsdir'], sentence }];
  }
  if (isFolderWithin(dir, rundir) && !isFolderWithin(rundir, dir)) {
    const sentence = 'must not lie in rundir, which may be gone when the machine starts again';
    return [{ keys: ['spool.dir', 'agent.rundir'], sentence }];
  }
  return [];
}
