import type { Log, LogFields, LogLevel } from '../../src/shared/log.js';

export interface RecordedLine {
  readonly level: LogLevel;
  readonly fields: LogFields;
  readonly message: string;
}

/** A log that keeps its lines for the test to look at. */
export function recordingLog(): { readonly log: Log; readonly lines: RecordedLine[] } {
  const lines: RecordedLine[] = [];
  const at = (level: LogLevel) => (fields: LogFields, message: string) => {
    lines.push({ level, fields, message });
  };
  return {
    log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), fatal: at('fatal') },
    lines,
  };
}
