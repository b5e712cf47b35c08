import type { Logger } from 'node-cron';
import type { Log } from '../../shared/log.js';

/** For jobs of node-cron, which by itself writes to the console: its words belong into the log. */
export function cronLogger(log: Log): Logger {
  const text = (message: string | Error) => (message instanceof Error ? message.message : message);
  return {
    info: (message) => log.debug({}, message),
    debug: (message) => log.debug({}, text(message)),
    warn: (message) => log.warn({}, message),
    error: (message, error) =>
      log.error({}, error === undefined ? text(message) : `${text(message)} ${error.message}`),
  };
}
