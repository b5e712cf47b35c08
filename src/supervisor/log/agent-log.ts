import bunyan from 'bunyan';
import { LOG_LEVELS, type Log, type LogFields, type LogLevel, type LogLine } from '../../shared/log.js';
import { boundedFields, boundedText, MESSAGE_LENGTH_MAX, RESERVED_FIELDS } from './bounded-fields.js';
import { LogFile } from './log-file.js';
import { readableLine } from './readable-line.js';
import { Terminal } from './terminal.js';

/** How the log is kept. */
export interface AgentLogOptions {
  /** Folder of `agent.log`. */
  readonly folder: string;
  /** The least level that is written. */
  readonly level: LogLevel;
  /** Bytes. */
  readonly rotateSize: number;
  /** Rotated files that are kept. */
  readonly rotateCount: number;
  /** True: every line goes to stderr too, in a form for people. */
  readonly foreground: boolean;
  readonly color: boolean;
  /** Descriptor that stands for stderr. */
  readonly terminal?: number;
  /** Bounds of the wait before a file that failed is tried again. */
  readonly retryBaseMs?: number;
  readonly retryCapMs?: number;
}

const STDERR = 2;

/** Bytes of a line in the file, at most. */
const LINE_BYTES_MAX = 65_536;

/**
 * The owner of the agent's log: JSON lines in `agent.log`, readable ones on stderr in the foreground. Whatever
 * happens to either, calls return at once and nothing is thrown; lines that are lost are counted and named.
 */
export class AgentLog implements Log {
  readonly #options: AgentLogOptions;
  readonly #file: LogFile;
  readonly #terminal: Terminal;
  readonly #bunyan: bunyan;

  constructor(options: AgentLogOptions) {
    this.#options = options;
    this.#terminal = new Terminal(options.terminal ?? STDERR);
    this.#file = new LogFile(options, {
      failed: (reason) => this.#fileFailed(reason),
      recovered: (dropped) => this.#fileRecovered(dropped),
    });
    // The level is this class's own business, so that what it has to say of itself is written at any level.
    this.#bunyan = bunyan.createLogger({
      name: 'agent',
      streams: [
        {
          type: 'raw',
          level: 'trace',
          stream: { write: (record: object) => this.#file.write(fileLine(record)) },
        },
      ],
    });
  }

  debug(fields: LogFields, message: string): void {
    this.#log('debug', fields, message);
  }

  info(fields: LogFields, message: string): void {
    this.#log('info', fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#log('warn', fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.#log('error', fields, message);
  }

  fatal(fields: LogFields, message: string): void {
    this.#log('fatal', fields, message);
  }

  /** Takes a line that a worker has sent. */
  accept({ level, fields, message }: LogLine): void {
    this.#log(level, fields, message);
  }

  /** Writes what still waits, in a bounded time. Later lines are lost. */
  async close(): Promise<void> {
    const lost = await this.#file.close();
    if (lost > 0) {
      const sentence = 'these log lines could not be written to the file';
      this.#say('error', { file: this.#file.path, lines: lost }, sentence);
    }
    await this.#terminal.close();
  }

  #log(level: LogLevel, fields: LogFields, message: string): void {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(this.#options.level)) return;
    this.#write(level, fields, message);
  }

  #write(level: LogLevel, fields: LogFields, message: string): void {
    const plainFields = boundedFields(fields);
    const text = boundedText(message, MESSAGE_LENGTH_MAX);
    this.#bunyan[level](plainFields, text);
    if (this.#options.foreground) this.#say(level, plainFields, text);
  }

  #say(level: LogLevel, fields: LogFields, message: string): void {
    this.#terminal.write(readableLine(new Date(), level, fields, message, this.#options));
  }

  /** Goes to stderr in any case: there is no other place left. */
  #fileFailed(reason: string): void {
    const sentence =
      'the log file cannot be written: the agent goes on and tries again; make room, or make the folder writable';
    this.#say('error', { file: this.#file.path, reason }, sentence);
  }

  #fileRecovered(dropped: number): void {
    this.#write(
      'warn',
      { file: this.#file.path, dropped },
      'the log file could not be written for a time; lines dropped meanwhile are counted here',
    );
  }
}

/**
 * The line of a record. What control characters become in JSON is up to six times as long: where that breaks the
 * bound, the fields are left out and only the beginning of the sentence stays.
 */
function fileLine(record: object): string {
  const line = `${JSON.stringify(record)}\n`;
  const bytes = Buffer.byteLength(line);
  if (bytes <= LINE_BYTES_MAX) return line;
  const kept: Record<string, unknown> = { cut: bytes };
  for (const [name, value] of Object.entries(record)) if (RESERVED_FIELDS.has(name)) kept[name] = value;
  return `${JSON.stringify({ ...kept, msg: boundedText(String(kept.msg), 1_000) })}\n`;
}
