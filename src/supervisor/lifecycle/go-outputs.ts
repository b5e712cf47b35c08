import type { Config, FurtherOutputTable } from '../config/config.js';
import type { OutputDraft } from '../config/fluent-bit/output-section.js';
import { type OutputsFile, type PluginsFile, readPluginsFile } from '../config/fluent-bit/outputs-file.js';
import { placeText } from '../config/fluent-bit/section.js';
import { DEFAULT_SERVICE } from '../config/fluent-bit/service-section.js';
import { OUTPUTS_MAX } from '../config/output-rules.js';
import { DOCUMENTS_PER_SHARE } from '../config/spool-rules.js';
import { registrationOf } from '../go-library/library-check.js';
import { draftSettings, type FoundPlugin, type GoOutput, tableSettings } from './go-output-settings.js';
import { chooseFrom, choosePlugin, type PluginChoice } from './plugin-choice.js';
import { type AskRegistration, askLibraries, type RegisteredLibraries } from './registered-libraries.js';

/** What the outputs that are Golang plugins are made of. */
export interface GoOutputSources {
  readonly config: Config;
  /** The configuration file, for messages. */
  readonly file: string;
  /** Of `-c`; undefined when it is not given. */
  readonly outputsFile: OutputsFile | undefined;
  readonly environment: NodeJS.ProcessEnv;
  /** Default: in a throw-away process. */
  readonly ask?: AskRegistration;
}

/** The outputs that are Golang plugins. */
export interface GoOutputs {
  /** Those of `[[outputs]]`, then those of `-c`. One that cannot work says so in its `problem`. */
  readonly outputs: readonly GoOutput[];
  /** Sentences for the log. */
  readonly warnings: readonly string[];
  /** Libraries that cannot be used, in sentences with file and line. They cost only the outputs that would use them. */
  readonly failures: readonly string[];
  /** Mistakes in the configuration, likewise. */
  readonly problems: readonly string[];
}

/**
 * Finds the library of each output that is a Golang plugin, and makes its settings.
 * @throws CodedError `config` when the plugins file of `[output]` is wrong
 */
export async function goOutputs(sources: GoOutputSources): Promise<GoOutputs> {
  const { config, outputsFile, environment } = sources;
  const pluginsFile: PluginsFile =
    config.output.plugins_file === ''
      ? { libraries: [], warnings: [] }
      : readPluginsFile(config.output.plugins_file, environment);
  const tables = config.outputs.filter(({ name }) => name === 'go');
  const named = [...pluginsFile.libraries, ...(outputsFile?.libraries ?? [])].map(({ path }) => path);
  const own = tables.map(({ library }) => library).filter((library) => library !== '');
  const libraries = await askLibraries(
    [...named, ...own],
    sources.ask ?? ((path) => registrationOf(path, environment)),
  );
  const maker = new OutputMaker(sources, libraries, named);
  const outputs = maker.make();
  return {
    outputs,
    warnings: [
      ...pluginsFile.warnings,
      ...(outputsFile?.warnings ?? []),
      ...sameNameWarnings(libraries, named),
    ],
    failures: libraries.failures.map(
      ({ path, sentence }) =>
        `${placeOf(path, sources, pluginsFile)}: the library ${path} cannot be used: ${sentence}`,
    ),
    problems: [...maker.problems, ...countProblems(config, outputs, outputsFile)],
  };
}

/** Where a library is named. */
function placeOf(path: string, { file, outputsFile }: GoOutputSources, pluginsFile: PluginsFile): string {
  const named = [...pluginsFile.libraries, ...(outputsFile?.libraries ?? [])];
  const library = named.find((candidate) => candidate.path === path);
  return library === undefined ? file : placeText(library.place);
}

class OutputMaker {
  readonly problems: string[] = [];
  readonly #sources: GoOutputSources;
  readonly #libraries: RegisteredLibraries;
  /** Libraries among which a name is looked for. */
  readonly #named: readonly string[];
  /** In lower case, with the place of each. */
  readonly #aliases = new Map<string, string>();

  constructor(sources: GoOutputSources, libraries: RegisteredLibraries, named: readonly string[]) {
    this.#sources = sources;
    this.#libraries = libraries;
    this.#named = named;
    const { output, outputs } = sources.config;
    this.#aliases.set(output.alias.toLowerCase(), '[output]');
    for (const [index, { alias }] of outputs.entries()) {
      this.#aliases.set(alias.toLowerCase(), `[[outputs]] ${index + 1}`);
    }
  }

  make(): readonly GoOutput[] {
    const { config, outputsFile } = this.#sources;
    const ofTables = config.outputs.flatMap((table, index) =>
      table.name === 'go' ? this.#fromTable(table, index) : [],
    );
    const drafts = outputsFile?.outputs ?? [];
    // Those that are written go before those that are made up.
    for (const draft of drafts) this.#takeWrittenAlias(draft);
    return [...ofTables, ...drafts.flatMap((draft) => this.#fromDraft(draft))];
  }

  #fromTable(table: FurtherOutputTable, index: number): readonly GoOutput[] {
    const { library, plugin } = table;
    const choice =
      library === ''
        ? choosePlugin(plugin, this.#named, this.#libraries)
        : chooseFrom(library, plugin, this.#libraries);
    const found = this.#found(choice, `${this.#sources.file}: [[outputs]] ${index + 1} name`);
    if (found === undefined) return [];
    return [tableSettings(table, found)];
  }

  #fromDraft(draft: OutputDraft): readonly GoOutput[] {
    const choice = choosePlugin(draft.pluginName, this.#named, this.#libraries);
    const found = this.#found(choice, `${placeText(draft.place)}: [OUTPUT] Name`);
    if (found === undefined) return [];
    const { outputsFile, config } = this.#sources;
    return [
      draftSettings(draft, found, {
        alias: draft.host.alias ?? this.#freeAlias(found.pluginName, placeText(draft.place)),
        topicPrefix: config.output.topicprefix,
        service: outputsFile?.service ?? DEFAULT_SERVICE,
      }),
    ];
  }

  #found(choice: PluginChoice, title: string): FoundPlugin | undefined {
    if (choice.kind === 'unknown') {
      this.problems.push(`${title}: ${choice.sentence}`);
      return undefined;
    }
    const { library, pluginName } = choice;
    return { library, pluginName, problem: choice.kind === 'broken' ? choice.problem : undefined };
  }

  #takeWrittenAlias({ host: { alias }, place }: OutputDraft): void {
    if (alias === undefined) return;
    const other = this.#aliases.get(alias.toLowerCase());
    if (other === undefined) this.#aliases.set(alias.toLowerCase(), placeText(place));
    else {
      this.problems.push(
        `${placeText(place)}: [OUTPUT] Alias ${alias}: is the alias of another output already (${other}): give this one another`,
      );
    }
  }

  /** The plugin's name, or with a number behind it: in the order of the file, so that it is the same next time. */
  #freeAlias(pluginName: string, place: string): string {
    const base = pluginName.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, ALIAS_BASE_LENGTH);
    let alias = base;
    for (let number = 2; this.#aliases.has(alias.toLowerCase()); number++) alias = `${base}-${number}`;
    this.#aliases.set(alias.toLowerCase(), place);
    return alias;
  }
}

/** An alias has 32 characters at most, and a number may follow this. */
const ALIAS_BASE_LENGTH = 28;

/** The first of them counts. */
function sameNameWarnings(libraries: RegisteredLibraries, named: readonly string[]): readonly string[] {
  return named.flatMap((path) => {
    const name = libraries.registrationOf(path)?.name;
    const first = name === undefined ? undefined : libraries.libraryOf(name, named);
    if (first === undefined || first === path) return [];
    return [`the library ${path} registers "${name}", as ${first} does: the first of them is used`];
  });
}

/** What `[spool]` and the number of outputs mean for those of `-c`; `[[outputs]]` has been looked at already. */
function countProblems(
  { output, outputs, spool }: Config,
  made: readonly GoOutput[],
  outputsFile: OutputsFile | undefined,
): readonly string[] {
  if (outputsFile === undefined || outputsFile.outputs.length === 0) return [];
  const problems: string[] = [];
  const ofTables = outputs.filter(({ name }) => name === 'go').length;
  const count = 1 + outputs.length + made.length - ofTables;
  if (count > OUTPUTS_MAX) {
    problems.push(
      `${outputsFile.file}: makes ${count} outputs in all: ${OUTPUTS_MAX} are the most, those of the configuration included`,
    );
  }
  const least = count * DOCUMENTS_PER_SHARE * output.maxmessagesize;
  if (spool.mode !== 'off' && spool.maxbytes < least) {
    problems.push(
      `${outputsFile.file}: needs [spool] maxbytes = ${least} at least: each of the ${count} outputs needs room for ${DOCUMENTS_PER_SHARE} messages`,
    );
  }
  if (spool.mode === 'off') {
    problems.push(
      `${outputsFile.file}: needs [spool] mode = "overflow" or "always": without the disk an output that is away would hold up the others`,
    );
  }
  return problems;
}
