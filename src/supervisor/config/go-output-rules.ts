import { type Config, type FurtherOutputTable, OUTPUT_NAMES } from './config.js';
import { readFileText } from './fluent-bit/file-text.js';
import { HOST_KEY_NAMES, REFUSED_KEYS, REFUSED_SENTENCE } from './fluent-bit/host-keys.js';
import { nearestName } from './nearest-name.js';
import type { KeyName, RuleProblem } from './rule-problem.js';

/** What is wrong with outputs that are Golang plugins, as far as it shows without their libraries. */
export function goOutputProblems(config: Config): readonly RuleProblem[] {
  return [
    ...pluginsFileProblems(config),
    ...config.outputs.flatMap((further, index) => [
      ...libraryProblems(further, index, config),
      ...propertyProblems(further, index),
    ]),
  ];
}

/** What stands in it is looked at when the libraries are. */
function pluginsFileProblems({ output }: Config): readonly RuleProblem[] {
  if (output.plugins_file === '') return [];
  const reading = readFileText(output.plugins_file);
  return reading.kind === 'text' ? [] : [{ keys: ['output.plugins_file'], sentence: reading.sentence }];
}

/** A plugin is found by its library, or by its name among those of the plugins file. */
function libraryProblems(
  { name, plugin, library }: FurtherOutputTable,
  index: number,
  { output }: Config,
): readonly RuleProblem[] {
  if (name !== 'go' || library !== '') return [];
  const key = (of: string): KeyName => `outputs.${index}.${of}`;
  if (plugin === '') {
    const sentence = 'is missing: name = "go" needs the file of the library (.so)';
    return [{ keys: [key('library'), key('name'), key('plugin')], sentence }];
  }
  if (output.plugins_file !== '') return [];
  const names = OUTPUT_NAMES.map((known) => JSON.stringify(known)).join(', ');
  const near = nearestName(plugin, OUTPUT_NAMES);
  const hint = near === undefined ? '' : ` (did you mean "${near}"?)`;
  const sentence = `must be one of ${names}${hint}, or the name of a Golang output plugin: then give its library, or [output] plugins_file`;
  return [{ keys: [key('name'), key('library'), 'output.plugins_file'], sentence }];
}

/** A plugin never gets what the host keeps for itself: to take it in silence would be a trap. */
function propertyProblems({ properties }: FurtherOutputTable, index: number): readonly RuleProblem[] {
  const hostKeys: readonly string[] = Object.values(HOST_KEY_NAMES);
  return Object.keys(properties).flatMap((name): RuleProblem[] => {
    const keys = [`outputs.${index}.properties`] as const;
    if (REFUSED_KEYS.includes(name.toLowerCase())) return [{ keys, sentence: `${name} ${REFUSED_SENTENCE}` }];
    if (!hostKeys.includes(name.toLowerCase())) return [];
    const sentence = `${name} is a key that the host keeps for itself: write it into the table [[outputs]], not among the plugin's own keys`;
    return [{ keys, sentence }];
  });
}
