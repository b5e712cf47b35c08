import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodedError, reasonOf } from '../../shared/coded-error.js';

/** Where the registry is. */
export type RegistryAddress =
  | {
      readonly kind: 'http';
      /** Without credentials, path with `/` at the end. */
      readonly base: URL;
      /** Value of the header `authorization`, when the address holds a user. A secret. */
      readonly authorization: string | undefined;
    }
  | {
      readonly kind: 'file';
      /** Absolute. */
      readonly path: string;
    };

/**
 * Reads `[agent] registryaddr`: an http or https URL, or `file:` with the path of a JSON document
 * (`file:conf/registry.json` from the process' folder, `file:/srv/registry.json`, `file:///srv/registry.json`).
 * Throws CodedError `config`.
 */
export function parseRegistryAddress(text: string): RegistryAddress {
  if (text.startsWith('file:')) return { kind: 'file', path: documentPath(text) };
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new CodedError('config', '[agent] registryaddr is neither a URL nor file: with a path');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new CodedError(
      'config',
      `[agent] registryaddr begins with ${url.protocol}; known are http:, https: and file:`,
    );
  }
  const base = new URL(url.href);
  base.username = '';
  base.password = '';
  base.search = '';
  base.hash = '';
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return { kind: 'http', base, authorization: authorizationOf(url) };
}

function documentPath(text: string): string {
  const path = text.slice('file:'.length);
  if (path === '' || path.includes('\0')) {
    throw new CodedError('config', '[agent] registryaddr names no document behind file:');
  }
  if (!path.startsWith('//')) return resolve(path);
  try {
    return fileURLToPath(text);
  } catch (error) {
    throw new CodedError('config', `[agent] registryaddr is no proper file URL: ${reasonOf(error)}`);
  }
}

function authorizationOf(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  const user = decodeURIComponent(url.username);
  const password = decodeURIComponent(url.password);
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
