import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LibraryRegistration, ProbeMessage } from '../../shared/library-registration.js';
import { passedVariables } from '../../shared/output-host/passed-variables.js';
import { signalGroup } from '../../shared/process-group.js';

/** What a library registers, or why it does not, in words that go on behind "the library …: ". */
export type RegistrationOutcome =
  | ({ readonly kind: 'registered' } & LibraryRegistration)
  | { readonly kind: 'failed'; readonly sentence: string };

/** A library whose initialization or registration takes longer hangs. */
const TIME_OUT_MS = 10_000;

/** What is kept of the end of a library's stderr. */
const STDERR_LENGTH_MAX = 2000;

/** How long the rest of stderr is waited for when the process is gone. */
const LAST_WORDS_MS = 500;

const PROGRAM = fileURLToPath(new URL('../../workers/library-probe/probe-main.js', import.meta.url));

/**
 * Loads a library in a throw-away process and has it register. Resolves within a bounded time whatever the library
 * does; never rejects.
 * @param path absolute
 */
export function askRegistration(path: string, timeOutMs = TIME_OUT_MS): Promise<RegistrationOutcome> {
  return new Promise((resolve) => {
    // A group of its own, so that what the library starts ends too.
    const child = spawn(process.execPath, [PROGRAM, path], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      cwd: '/',
      env: passedVariables(process.env),
    });
    let stderr = '';
    let answer: RegistrationOutcome | undefined;
    const end = () => {
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    };
    const timer = setTimeout(() => {
      const seconds = timeOutMs / 1000;
      answer ??= failed(`it hangs: it neither registered nor failed within ${seconds} s`);
      end();
    }, timeOutMs);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_LENGTH_MAX);
    });
    child.once('message', (message: ProbeMessage) => {
      answer ??= message.kind === 'registered' ? message : failed(message.sentence);
      end();
    });
    child.once('error', (error) => {
      clearTimeout(timer);
      resolve(failed(`no process could be started to load it: ${error.message}`));
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      end();
      const finish = () => {
        clearTimeout(patience);
        child.stderr?.destroy();
        if (child.connected) child.disconnect();
        resolve(answer ?? failed(endSentence(code, signal, stderr)));
      };
      // A program that the library has started, and that left the group, may hold the other end of the pipe.
      const patience = setTimeout(finish, LAST_WORDS_MS);
      child.once('close', finish);
    });
  });
}

function failed(sentence: string): RegistrationOutcome {
  return { kind: 'failed', sentence };
}

function endSentence(code: number | null, signal: NodeJS.Signals | null, stderr: string): string {
  const how = signal === null ? `with exit status ${code}` : `by ${signal}`;
  return `its process ended ${how} while it was loaded or registered${lastWords(stderr)}`;
}

/** Of a Go panic, its first line says what, not its last. */
function lastWords(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const line = lines.find((text) => /^(?:panic|fatal error|runtime)/.test(text)) ?? lines.at(-1);
  return line === undefined ? ', without a word' : `, and said: ${line.trim().slice(0, 300)}`;
}
