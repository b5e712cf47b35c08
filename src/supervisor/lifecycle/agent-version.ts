import { readFileSync } from 'node:fs';

/** The agent's version, from the `package.json` of the installation that runs. */
export function agentVersion(): string {
  const packageFile = new URL('../../../../package.json', import.meta.url);
  const { version }: { readonly version?: unknown } = JSON.parse(readFileSync(packageFile, 'utf8'));
  return typeof version === 'string' ? version : 'unknown';
}
