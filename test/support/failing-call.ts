import fsCalls from 'node:fs';
import promisedCalls from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import type { TestContext } from 'node:test';

type Call = (...args: unknown[]) => unknown;

/**
 * Has calls of the file system fail with an error of the system, as in a bad moment.
 * @param isMeant whether a call with this path fails
 * @returns a function that ends it; it ends with the test, too
 */
export function failingCall(
  t: TestContext,
  module: 'fs' | 'fs/promises',
  name: 'open' | 'unlink' | 'readFileSync',
  code: string,
  isMeant: (path: string) => boolean,
): () => void {
  const calls = (module === 'fs' ? fsCalls : promisedCalls) as unknown as Record<string, Call>;
  const original = calls[name] as Call;
  const { mock } = t.mock.method(calls, name, (...args: unknown[]) => {
    if (!isMeant(String(args[0]))) return original(...args);
    const error = systemError(code);
    if (module === 'fs/promises') return Promise.reject(error);
    throw error;
  });
  syncBuiltinESMExports();
  const end = () => {
    mock.restore();
    syncBuiltinESMExports();
  };
  t.after(end);
  return end;
}

/** As the system throws it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: the test has it fail`), { code });
}
