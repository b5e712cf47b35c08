/**
 * An expected failure: a stable code for programs, a sentence for people.
 * The sentence names the thing (file, key, plugin, server), the cause and the way out.
 */
export class CodedError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CodedError';
    this.code = code;
  }
}

/** The sentence of anything that was thrown, for use inside another sentence. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The code of an error of ours or of Node's (`ENOENT`, …); undefined for anything else that was thrown. */
export function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/**
 * The error behind an error: the cause of one that has no code, the first one where several addresses of a host were
 * tried.
 */
export function rootErrorOf(thrown: unknown): unknown {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return rootErrorOf(thrown.errors[0]);
  const hasCause = thrown instanceof Error && thrown.cause !== undefined;
  return hasCause && codeOf(thrown) === undefined ? rootErrorOf(thrown.cause) : thrown;
}
