import type { Config, OutputTable } from './config.js';
import { isFolderWithin } from './folder-rules.js';
import { goOutputProblems } from './go-output-rules.js';
import { keysOfKind } from './output-kinds.js';
import type { KeyName, RuleContext, RuleProblem } from './rule-problem.js';
import { pemFileProblem, privateKeyFileProblem, secretFileProblem } from './secret-file.js';

/** Outputs in all, `[output]` included: each takes memory, disk and connections of its own. */
export const OUTPUTS_MAX = 16;

/** What is wrong with the outputs, each by itself and all of them together. */
export function outputProblems(config: Config, context: RuleContext): readonly RuleProblem[] {
  const outputs = placedOutputs(config);
  return [
    ...outputs.flatMap(kindProblems),
    ...outputs.flatMap(fileProblems),
    ...outputs.flatMap((placed) => strangeKeyProblems(placed, context)),
    ...sameAliasProblems(outputs),
    ...sameTargetProblems(outputs),
    ...countProblems(outputs),
    ...outputs.flatMap((placed) => spoolProblems(placed, config)),
    ...goOutputProblems(config),
  ];
}

/** An output, and where it stands in the file. */
interface PlacedOutput {
  readonly output: OutputTable;
  /** The name of one of its keys. */
  readonly key: (name: keyof OutputTable) => KeyName;
  /** Which table it is, for a sentence about another. */
  readonly title: string;
  /** Of `[[outputs]]`; undefined for `[output]`. */
  readonly index: number | undefined;
}

function placedOutputs({ output, outputs }: Config): readonly PlacedOutput[] {
  return [
    { output, key: (name) => `output.${name}`, title: '[output]', index: undefined },
    ...outputs.map((further, index) => ({
      output: further,
      key: (name: keyof OutputTable): KeyName => `outputs.${index}.${name}`,
      title: `[[outputs]] ${index + 1}`,
      index,
    })),
  ];
}

function kindProblems(placed: PlacedOutput): readonly RuleProblem[] {
  switch (placed.output.name) {
    case 'nsq':
      return nsqProblems(placed);
    case 'influxdb':
      return influxdbProblems(placed);
    case 'file':
      return missing(placed, 'path', 'is missing: name = "file" needs the path of the file to write');
    case 'stdout':
    case 'go':
      return [];
  }
}

/** The problem of a key that is empty and must not be. */
function missing(
  { output, key }: PlacedOutput,
  name: keyof OutputTable,
  sentence: string,
  ...because: readonly (keyof OutputTable)[]
): readonly RuleProblem[] {
  if (output[name] !== '') return [];
  return [{ keys: [key(name), key('name'), ...because.map(key)], sentence }];
}

/** The problem of a key that is not empty and must be. */
function unwanted(
  { output, key }: PlacedOutput,
  name: keyof OutputTable,
  sentence: string,
  ...because: readonly (keyof OutputTable)[]
): readonly RuleProblem[] {
  if (output[name] === '') return [];
  return [{ keys: [key(name), key('name'), ...because.map(key)], sentence }];
}

function nsqProblems(placed: PlacedOutput): readonly RuleProblem[] {
  const { output, key } = placed;
  const problems: RuleProblem[] = [];
  if (output.servers.length === 0 && output.lookupd.length === 0) {
    problems.push({
      keys: [key('servers'), key('name'), key('lookupd')],
      sentence:
        'must name at least one nsqd, like ["nsqd.example.com:4150"], or lookupd an nsqlookupd that knows some',
    });
  }
  return [...problems, ...certificateProblems(placed)];
}

function certificateProblems(placed: PlacedOutput): readonly RuleProblem[] {
  const { tlscert, tlskey } = placed.output;
  return [
    ...(tlscert === ''
      ? []
      : missing(placed, 'tlskey', 'is missing: tlscert needs its private key', 'tlscert')),
    ...(tlskey === ''
      ? []
      : missing(placed, 'tlscert', 'is missing: tlskey needs its certificate', 'tlskey')),
  ];
}

function influxdbProblems(placed: PlacedOutput): readonly RuleProblem[] {
  const { version } = placed.output;
  const place = version === 2 ? 'bucket' : 'database';
  return [
    ...missing(
      placed,
      'url',
      'is missing: name = "influxdb" needs the address of the server, like "http://127.0.0.1:8086"',
    ),
    ...missing(
      placed,
      'database',
      `is missing: name the ${place}, or "%s" for one ${place} for each namespace`,
    ),
    ...(version === 2
      ? missing(placed, 'organization', 'is missing: version = 2 needs the organization', 'version')
      : unwanted(placed, 'organization', 'belongs to version = 2 alone: leave it ""', 'version')),
    ...(version === 1 ? userProblems(placed) : userOfVersion1Problems(placed)),
  ];
}

/** A user and the password go together, and make a token senseless. */
function userProblems(placed: PlacedOutput): readonly RuleProblem[] {
  const { username, passwordfile } = placed.output;
  const problems: RuleProblem[] = [];
  if (username !== '') {
    const alone = 'and username exclude each other: leave one of them ""';
    problems.push(...unwanted(placed, 'tokenfile', alone, 'username'));
    const lacks = 'is missing: username needs the file of its password';
    problems.push(...missing(placed, 'passwordfile', lacks, 'username'));
  } else if (passwordfile !== '') {
    problems.push(...missing(placed, 'username', 'is missing: passwordfile needs its user', 'passwordfile'));
  }
  return problems;
}

function userOfVersion1Problems(placed: PlacedOutput): readonly RuleProblem[] {
  const user = 'belongs to version = 1: versions 2 and 3 take tokenfile';
  return [
    ...unwanted(placed, 'username', user, 'version'),
    ...unwanted(placed, 'passwordfile', user, 'version'),
    ...unwanted(placed, 'retentionpolicy', 'belongs to version = 1 alone: leave it ""', 'version'),
  ];
}

function fileProblems({ output, key, index }: PlacedOutput): readonly RuleProblem[] {
  const files = [
    ['tlsca', pemFileProblem],
    ['tlscert', pemFileProblem],
    ['tlskey', privateKeyFileProblem],
    ['authsecretfile', secretFileProblem],
    ['tokenfile', secretFileProblem],
    ['passwordfile', secretFileProblem],
  ] as const;
  const used = keysOfKind(output.name);
  return files.flatMap(([name, problemOf]) => {
    // In a further output such a key is refused as a whole.
    if (output[name] === '' || (index !== undefined && !used.includes(name))) return [];
    const sentence = problemOf(output[name]);
    return sentence === undefined ? [] : [{ keys: [key(name)], sentence }];
  });
}

/** Files of LodaStack agents hold keys of `nsq` beside any name, so that only further outputs are strict. */
function strangeKeyProblems(
  { output, key, index }: PlacedOutput,
  { writtenOutputs }: RuleContext,
): readonly RuleProblem[] {
  if (index === undefined) return [];
  const own = keysOfKind(output.name);
  const known = Object.keys(output);
  const strange = (writtenOutputs[index] ?? []).filter((name) => known.includes(name) && !own.includes(name));
  return strange.map((name) => ({
    keys: [`outputs.${index}.${name}`, key('name')],
    sentence: `means nothing to name = "${output.name}": remove it; its keys are ${own.join(', ')}`,
  }));
}

/** Two folders whose names differ in upper and lower case alone would be one on some disks, and to people. */
function sameAliasProblems(outputs: readonly PlacedOutput[]): readonly RuleProblem[] {
  return outputs.flatMap((placed, place): RuleProblem[] => {
    const wanted = placed.output.alias.toLowerCase();
    const other = outputs.slice(0, place).find(({ output }) => output.alias.toLowerCase() === wanted);
    if (other === undefined) return [];
    return [
      {
        keys: [placed.key('alias'), placed.key('name'), other.key('alias'), other.key('name')],
        sentence: `is the alias of ${other.title} already ("${other.output.alias}"): give this output another one`,
      },
    ];
  });
}

/** Lines of two writers to the same place would run into each other. */
function sameTargetProblems(outputs: readonly PlacedOutput[]): readonly RuleProblem[] {
  return outputs.flatMap((placed, place): RuleProblem[] => {
    const { name, path } = placed.output;
    const before = outputs.slice(0, place).filter(({ output }) => output.name === name);
    if (name === 'stdout' && before[0] !== undefined) {
      const sentence = `writes to stdout, as ${before[0].title} does: one output alone can`;
      return [{ keys: [placed.key('name'), before[0].key('name')], sentence }];
    }
    const same =
      name === 'file' && path !== '' ? before.find(({ output }) => isSameFile(output.path, path)) : undefined;
    if (same === undefined) return [];
    const sentence = `is the file of ${same.title} already: give this output another one`;
    return [{ keys: [placed.key('path'), placed.key('name'), same.key('path'), same.key('name')], sentence }];
  });
}

function isSameFile(one: string, other: string): boolean {
  return isFolderWithin(one, other) && isFolderWithin(other, one);
}

function countProblems(outputs: readonly PlacedOutput[]): readonly RuleProblem[] {
  if (outputs.length <= OUTPUTS_MAX) return [];
  const sentence = `is one too many: ${OUTPUTS_MAX} outputs are the most, [output] included`;
  return [{ keys: [`outputs.${OUTPUTS_MAX - 1}`], sentence }];
}

function spoolProblems({ output, key }: PlacedOutput, { spool }: Config): readonly RuleProblem[] {
  if (output.name !== 'file' || output.path === '' || !isFolderWithin(output.path, spool.dir)) return [];
  const sentence = `must not lie in ${spool.dir}: that folder holds nothing but the spool`;
  return [{ keys: [key('path'), key('name'), 'spool.dir'], sentence }];
}
