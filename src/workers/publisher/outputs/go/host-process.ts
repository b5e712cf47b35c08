import type { ChildProcess } from 'node:child_process';
import type { Duplex, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import spawn from 'cross-spawn';
import { reasonOf } from '../../../../shared/coded-error.js';
import { FrameReader, frame } from '../../../../shared/output-host/frames.js';
import type { FromOutputHost, ToOutputHost } from '../../../../shared/output-host/messages.js';
import { passedVariables } from '../../../../shared/output-host/passed-variables.js';
import { PluginLines } from './plugin-lines.js';

const HOST_FILE = fileURLToPath(new URL('../../../output-host/main.js', import.meta.url));

/** Go collects garbage less often than by itself (100): decoding takes a fifth less processor time, for some memory. */
const GARBAGE_PERCENT = '400';

/** How long the pipes of a process that is gone may still bring something; a child of its own may hold them open. */
const PIPES_PATIENCE_MS = 500;

/** How a host's process ended. */
export interface HostEnd {
  /** `exit code 2`, or `signal SIGSEGV`. */
  readonly how: string;
  /** The end of what it printed on stderr. */
  readonly stderrTail: string;
}

export interface HostProcessOptions {
  /** Calls that may wait in the library at once. */
  readonly callsAtOnce: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly onMessage: (message: FromOutputHost) => void;
  readonly onLine: (stream: 'stdout' | 'stderr', line: string) => void;
  readonly onSkippedLines: (stream: 'stdout' | 'stderr', lines: number) => void;
  /** Called once, when it is gone and all that it said was passed on. */
  readonly onEnd: (end: HostEnd) => void;
}

/** One process that a library is loaded in. */
export class HostProcess {
  readonly #options: HostProcessOptions;
  readonly #child: ChildProcess;
  readonly #socket: Duplex;
  readonly #lines: readonly [stdout: PluginLines, stderr: PluginLines];
  #hasEnded = false;

  constructor(options: HostProcessOptions) {
    this.#options = options;
    // A session of its own: what a terminal signals does not reach it.
    this.#child = spawn(process.execPath, [HOST_FILE], {
      env: { NODE_V8_COVERAGE: undefined, ...environmentOf(options) },
      // The last one is `HOST_SOCKET`.
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const [, stdout, stderr, socket] = this.#child.stdio;
    this.#socket = socket as Duplex;
    this.#lines = [this.#read('stdout', stdout as Readable), this.#read('stderr', stderr as Readable)];
    const reader = new FrameReader((head) => options.onMessage(head as FromOutputHost));
    this.#socket.on('data', (bytes: Buffer) => reader.push(bytes));
    // What is written to a process that is gone: its end is what counts.
    this.#socket.on('error', () => undefined);
    this.#child.once('error', (thrown) => this.#end(`it cannot be started: ${reasonOf(thrown)}`));
    this.#child.once('exit', (code, signal) =>
      this.#endSoon(signal === null ? `exit code ${code}` : `signal ${signal}`),
    );
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: ToOutputHost, ...body: readonly Uint8Array[]): void {
    if (this.#hasEnded || this.#socket.destroyed) return;
    this.#socket.cork();
    for (const part of frame(message, ...body)) this.#socket.write(part);
    this.#socket.uncork();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #read(stream: 'stdout' | 'stderr', source: Readable): PluginLines {
    return new PluginLines(
      source,
      (line) => this.#options.onLine(stream, line),
      (lines) => this.#options.onSkippedLines(stream, lines),
    );
  }

  #endSoon(how: string): void {
    const timer = setTimeout(() => this.#end(how), PIPES_PATIENCE_MS);
    this.#child.once('close', () => {
      clearTimeout(timer);
      this.#end(how);
    });
  }

  #end(how: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const lines of this.#lines) lines.close();
    this.#socket.destroy();
    this.#options.onEnd({ how, stderrTail: this.#lines[1].tail });
  }
}

function environmentOf({ callsAtOnce, environment }: HostProcessOptions): Record<string, string> {
  return {
    ...passedVariables(process.env),
    UV_THREADPOOL_SIZE: String(callsAtOnce),
    GOGC: GARBAGE_PERCENT,
    ...environment,
  };
}
