/** The levels a log line can have, least severe first. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'] as const;

/** One of them. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Plain values that stand beside the sentence, by name: plugin, namespace, server, … Never secrets. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What every part of the agent writes its log through. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  fatal(fields: LogFields, message: string): void;
}

/** A log line on its way from a worker to the supervisor, which owns the log file. */
export interface LogLine {
  readonly type: 'log';
  readonly level: LogLevel;
  readonly fields: LogFields;
  readonly message: string;
}

/** The log of a worker thread: lines below `least` stay here, the others go through `send`. */
export function forwardingLog(least: LogLevel, send: (line: LogLine) => void): Log {
  const threshold = LOG_LEVELS.indexOf(least);
  const at = (level: LogLevel) => (fields: LogFields, message: string) => {
    if (LOG_LEVELS.indexOf(level) >= threshold) send({ type: 'log', level, fields, message });
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), fatal: at('fatal') };
}
