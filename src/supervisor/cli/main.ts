/** Entry point of the command line: finds the command, reads its options, runs it, says what went wrong. */
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import { nearestName } from '../config/nearest-name.js';
import { checkCommand } from './check-command.js';
import { type Command, parseOptions } from './command.js';
import { demoCommand } from './demo-command.js';
import { EXIT, exitCodeOf } from './exit-code.js';
import { generalHelp } from './general-help.js';
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
  const [first, ...rest] = words;
  try {
    if (first === undefined) {
      process.stderr.write(`${generalHelp(COMMANDS)}\n`);
      return EXIT.usage;
    }
    if (HELP_WORDS.includes(first)) return printHelp(rest);
    if (first === '--version') return await versionCommand.run(parseOptions(versionCommand, rest));
    const command = findCommand(first);
    if (rest.includes('--help') || rest.includes('-h')) return printHelp([command.name]);
    return await command.run(parseOptions(command, rest));
  } catch (error) {
    return explain(error, first);
  }
}

function printHelp([name, tooMuch]: readonly string[]): number {
  if (tooMuch !== undefined) throw new CodedError('usage', 'help takes the name of one command');
  const wanted = name === undefined || HELP_WORDS.includes(name) ? undefined : findCommand(name);
  process.stdout.write(`${wanted?.help ?? generalHelp(COMMANDS)}\n`);
  return EXIT.ok;
}

function findCommand(name: string): Command {
  const found = COMMANDS.find((command) => command.name === name);
  if (found !== undefined) return found;
  const names = [...COMMANDS.map((command) => command.name), 'help'];
  const nearest = nearestName(name, names);
  const hint = nearest === undefined ? `there are ${names.join(', ')}` : `did you mean "${nearest}"?`;
  const what = name.startsWith('-') ? `no option ${name} before the command` : `no command "${name}"`;
  throw new CodedError('usage', `there is ${what}; ${hint}`);
}

function explain(error: unknown, first: string | undefined): number {
  // Only an error that nobody expected is worth the place where it came from.
  const text = error instanceof CodedError ? error.message : describeUnexpected(error);
  process.stderr.write(`agent: ${text}\n`);
  if (codeOf(error) === 'usage') {
    const known = COMMANDS.some((command) => command.name === first);
    process.stderr.write(`Try "agent help${known ? ` ${first}` : ''}".\n`);
  }
  return exitCodeOf(error);
}

function describeUnexpected(error: unknown): string {
  // Errors of the operating system name the file and the cause by themselves.
  if (codeOf(error) !== undefined) return reasonOf(error);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
