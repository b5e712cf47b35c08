import { CodedError } from '../../shared/coded-error.js';
import type { PluginPin } from '../../shared/plugin-trust.js';
import { quoted } from '../../shared/quoted.js';

const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Reads what an item pins its plugin to. Empty texts pin nothing: that is how some registries send a field that was
 * left out. Short hashes are refused, as others can be made that begin like them.
 * @throws CodedError `item`
 */
export function parsePin(commit: string | undefined, sha256: string | undefined): PluginPin | undefined {
  const pinnedCommit = parseHash('commit', commit, COMMIT, 'the full hash of a commit, 40 or 64');
  const pinnedSha256 = parseHash('sha256', sha256, SHA256, 'the SHA-256 of the file "plugin", 64');
  if (pinnedCommit === undefined && pinnedSha256 === undefined) return undefined;
  return {
    ...(pinnedCommit !== undefined && { commit: pinnedCommit }),
    ...(pinnedSha256 !== undefined && { sha256: pinnedSha256 }),
  };
}

function parseHash(
  field: string,
  text: string | undefined,
  pattern: RegExp,
  what: string,
): string | undefined {
  const hash = text?.trim().toLowerCase() ?? '';
  if (hash === '') return undefined;
  if (pattern.test(hash)) return hash;
  throw new CodedError(
    'item',
    `"${field}" is ${quoted(text ?? '', 80)}, but must be ${what} hexadecimal digits`,
  );
}
