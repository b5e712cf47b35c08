import { codeOf } from '../../shared/coded-error.js';

/** What the command line's exit status says. */
export const EXIT = {
  ok: 0,
  failure: 1,
  /** The call or the configuration is wrong; nothing was started. */
  usage: 2,
} as const;

const USAGE_CODES = new Set(['usage', 'config', 'pluginsuser']);

/** The exit status for an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  const code = codeOf(error);
  return code !== undefined && USAGE_CODES.has(code) ? EXIT.usage : EXIT.failure;
}
