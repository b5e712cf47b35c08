import { parseArgs } from 'node:util';
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import { nearestName } from '../config/nearest-name.js';

/** An option of a command. */
export interface Option {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
}

/** What a command was called with. */
export interface CommandOptions {
  /** Value of an option that takes one; undefined when it was not given. */
  text(name: string): string | undefined;
  given(name: string): boolean;
  /** The words that are no options; as many as the command takes. */
  readonly words: readonly string[];
}

/** A command of the command line: a file each. */
export interface Command {
  /** One word, or two as in `plugin check`. */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `agent help <name>` prints. */
  readonly help: string;
  readonly options: Readonly<Record<string, Option>>;
  /** What the words behind it are, all of which it needs; most commands have none. */
  readonly words?: readonly string[];
  /** Resolves to the exit status. Errors that it throws are printed by the caller. */
  run(options: CommandOptions): Promise<number>;
}

/**
 * Reads a command's arguments.
 * @throws CodedError `usage`
 */
export function parseOptions(command: Command, words: readonly string[]): CommandOptions {
  const { values, positionals } = parseValues(command, words);
  const wanted = command.words ?? [];
  const missing = wanted[positionals.length];
  if (missing !== undefined) throw new CodedError('usage', `${command.name} needs ${missing}`);
  const tooMuch = positionals[wanted.length];
  if (tooMuch !== undefined)
    throw new CodedError('usage', `${command.name}: "${tooMuch}" is one word too many`);
  return {
    words: positionals,
    text: (name) => {
      const given = values[name];
      return Array.isArray(given) && typeof given[0] === 'string' ? given[0] : undefined;
    },
    given: (name) => values[name] !== undefined,
  };
}

/** An option that a command cannot do without. */
export function requiredText(command: Command, options: CommandOptions, name: string, what: string): string {
  const value = options.text(name);
  if (value !== undefined && value !== '') return value;
  const short = command.options[name]?.short;
  throw new CodedError('usage', `${command.name} needs ${what}: -${short} FILE`);
}

interface ParsedWords {
  readonly values: Record<string, unknown>;
  readonly positionals: readonly string[];
}

function parseValues(command: Command, words: readonly string[]): ParsedWords {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, option]) => [name, { ...option, multiple: true as const }]),
  );
  const allowPositionals = command.words !== undefined;
  let parsed: ParsedWords;
  try {
    parsed = parseArgs({ args: [...words], options, strict: true, allowPositionals });
  } catch (error) {
    throw new CodedError('usage', `${command.name}: ${usageProblem(command, error)}`, { cause: error });
  }
  for (const [name, given] of Object.entries(parsed.values)) {
    if (Array.isArray(given) && given.length > 1 && command.options[name]?.type === 'string') {
      throw new CodedError(
        'usage',
        `${command.name}: ${spelling(command, name)} is given ${given.length} times`,
      );
    }
  }
  return parsed;
}

/** The parser's own sentences speak to programmers. */
function usageProblem(command: Command, error: unknown): string {
  const message = reasonOf(error);
  const word = /'([^']*)'/.exec(message)?.[1] ?? '';
  switch (codeOf(error)) {
    case 'ERR_PARSE_ARGS_UNKNOWN_OPTION': {
      const nearest = word.startsWith('--')
        ? nearestName(word.slice(2), Object.keys(command.options))
        : undefined;
      return `there is no option ${word}${nearest === undefined ? '' : `, did you mean --${nearest}?`}`;
    }
    case 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL':
      return `"${word}" is one word too many${command.options.file ? '; the configuration is given with -f FILE' : ''}`;
    case 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE': {
      const name = /--([a-z]+)/.exec(message)?.[1] ?? '';
      return command.options[name]?.type === 'boolean'
        ? `--${name} takes no value`
        : `${spelling(command, name)} needs a value`;
    }
    default:
      return message;
  }
}

function spelling(command: Command, name: string): string {
  const short = command.options[name]?.short;
  return short === undefined ? `--${name}` : `-${short}`;
}
