/** Entry point of the command line: finds the command, reads its options, runs it, says what went wrong. */
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import { nearestName } from '../config/nearest-name.js';
import { checkCommand } from './check-command.js';
import { type Command, parseOptions } from './command.js';
import { demoCommand } from './demo-command.js';
import { EXIT, exitCodeOf } from './exit-code.js';
import { generalHelp } from './general-help.js';
import { pluginCheckCommand } from './plugin-check-command.js';
import { pluginNewCommand } from './plugin-new-command.js';
import { endProcess } from './process-end.js';
import { startCommand } from './start-command.js';
import { statusCommand } from './status-command.js';
import { stopCommand } from './stop-command.js';
import { versionCommand } from './version-command.js';

const COMMANDS: readonly Command[] = [
  startCommand,
  stopCommand,
  statusCommand,
  checkCommand,
  pluginCheckCommand,
  pluginNewCommand,
  demoCommand,
  versionCommand,
];

const HELP_WORDS: readonly string[] = ['help', '--help', '-h'];

// A reader that has seen enough, as in `agent help | head -1`, is no failure.
process.stdout.on('error', (error) => {
  if (codeOf(error) !== 'EPIPE') throw error;
});

// Nor is a terminal that is gone, or a file on a full disk, for an agent that has still work to do.
process.stderr.on('error', () => {});

endProcess(await runCommandLine(process.argv.slice(2)));

/** Resolves to the exit status. */
async function runCommandLine(words: readonly string[]): Promise<number> {
  const [first] = words;
  try {
    if (first === undefined) {
      process.stderr.write(`${generalHelp(COMMANDS)}\n`);
      return EXIT.usage;
    }
    if (HELP_WORDS.includes(first)) return printHelp(words.slice(1));
    if (first === '--version') {
      return await versionCommand.run(parseOptions(versionCommand, words.slice(1)));
    }
    if (isHelpWanted(words) && isGroup(words)) return printHelp([first]);
    const { command, rest } = findCommand(words);
    if (isHelpWanted(rest)) return printHelp(command.name.split(' '));
    return await command.run(parseOptions(command, rest));
  } catch (error) {
    return explain(error, first);
  }
}

function isHelpWanted(words: readonly string[]): boolean {
  return words.includes('--help') || words.includes('-h');
}

function printHelp(words: readonly string[]): number {
  process.stdout.write(`${helpOf(words)}\n`);
  return EXIT.ok;
}

function helpOf(words: readonly string[]): string {
  const [name] = words;
  if (name === undefined || HELP_WORDS.includes(name)) return generalHelp(COMMANDS);
  if (isGroup(words)) {
    return commandsOf(name)
      .map(({ help }) => help)
      .join('\n\n');
  }
  const { command, rest } = findCommand(words);
  if (rest.length > 0) throw new CodedError('usage', 'help takes the name of one command');
  return command.help;
}

/** True for the first word of two, alone or with nothing but options behind it. */
function isGroup([first = '', second]: readonly string[]): boolean {
  return commandsOf(first).length > 0 && (second === undefined || second.startsWith('-'));
}

/** The commands of two words that begin with this one. */
function commandsOf(first: string): readonly Command[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${first} `));
}

/** Finds the command that the first words name; the rest is for the command. */
function findCommand(words: readonly string[]): { command: Command; rest: readonly string[] } {
  const [first = ''] = words;
  const inGroup = commandsOf(first);
  if (inGroup.length > 0) return findInGroup(first, words, inGroup);
  const command = COMMANDS.find(({ name }) => name === first);
  if (command !== undefined) return { command, rest: words.slice(1) };
  const names = [...new Set(COMMANDS.map(({ name }) => name.split(' ')[0] ?? '')), 'help'];
  const nearest = nearestName(first, names);
  const hint = nearest === undefined ? `there are ${names.join(', ')}` : `did you mean "${nearest}"?`;
  const what = first.startsWith('-') ? `no option ${first} before the command` : `no command "${first}"`;
  throw new CodedError('usage', `there is ${what}; ${hint}`);
}

function findInGroup(
  first: string,
  words: readonly string[],
  inGroup: readonly Command[],
): { command: Command; rest: readonly string[] } {
  const second = words[1];
  const command = inGroup.find(({ name }) => name === `${first} ${second}`);
  if (command !== undefined) return { command, rest: words.slice(2) };
  const names = inGroup.map(({ name }) => `"${name}"`).join(' and ');
  const what = second === undefined ? `"${first}" needs one more word` : `there is no "${first} ${second}"`;
  throw new CodedError('usage', `${what}: there are ${names}`);
}

function explain(error: unknown, first: string | undefined): number {
  // Only an error that nobody expected is worth the place where it came from.
  const text = error instanceof CodedError ? error.message : describeUnexpected(error);
  process.stderr.write(`agent: ${text}\n`);
  if (codeOf(error) === 'usage') {
    const known = COMMANDS.some((command) => command.name.split(' ')[0] === first);
    process.stderr.write(`Try "agent help${known ? ` ${first}` : ''}".\n`);
  }
  return exitCodeOf(error);
}

function describeUnexpected(error: unknown): string {
  // Errors of the operating system name the file and the cause by themselves.
  if (codeOf(error) !== undefined) return reasonOf(error);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
