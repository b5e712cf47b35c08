import { CodedError } from '../../shared/coded-error.js';
import { withoutCredentials } from '../log/credentials.js';
import { GIT_PROTOCOLS, type GitProtocol } from './git-protocol.js';

/** A git address, taken apart. */
export interface GitAddress {
  /** Undefined: a bare `group/project`. */
  readonly protocol: GitProtocol | undefined;
  readonly hasPassword: boolean;
  /** Of the path, none of them empty, `.` or `..`. */
  readonly parts: readonly string[];
}

const ADDRESS_MAX_CHARACTERS = 1024;
const BLANK_OR_CONTROL = /[\s\p{C}\p{Z}]/u;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9._~+-]*$/;
const PATH_PART = /^[A-Za-z0-9_.~+@][-A-Za-z0-9_.~+@]*$/;

/**
 * Takes an address apart: a URL, `user@host:path`, an absolute path, or `group/project`. Nothing passes that git or
 * ssh could take for an option or for a program to start.
 * @throws CodedError `git-address` with a sentence that says why it is refused
 */
export function parseGitAddress(text: string): GitAddress {
  if (text === '') throw new CodedError('git-address', 'the git address is empty');
  if (text.length > ADDRESS_MAX_CHARACTERS) {
    throw new CodedError(
      'git-address',
      `the git address is longer than ${ADDRESS_MAX_CHARACTERS} characters`,
    );
  }
  if (BLANK_OR_CONTROL.test(text)) throw refusal(text, 'holds a blank or a control character');
  if (text.startsWith('-')) throw refusal(text, 'looks like an option of git');
  if (/^[A-Za-z0-9+.-]+::/.test(text))
    throw refusal(text, 'names a transport helper of git, which could run any program');

  const url = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/]*)(.*)$/.exec(text);
  if (url) return parseUrl(text, url[1] ?? '', url[2] ?? '', url[3] ?? '');
  if (text.startsWith('/')) return { protocol: 'file', hasPassword: false, parts: pathParts(text, text) };
  const scpLike = /^([^/:]*):(.*)$/.exec(text);
  if (scpLike) return parseScpLike(text, scpLike[1] ?? '', scpLike[2] ?? '');
  return { protocol: undefined, hasPassword: false, parts: pathParts(text, text) };
}

/** Says why the agent does not clone from an address, or undefined when it does. */
export function addressProblem(address: string, allowed: readonly string[]): string | undefined {
  try {
    const { protocol } = parseGitAddress(address);
    if (protocol !== undefined && allowed.includes(protocol)) return undefined;
    return refusal(address, protocol === undefined ? 'names no host' : notAllowed(protocol, allowed)).message;
  } catch (error) {
    if (error instanceof CodedError) return error.message;
    throw error;
  }
}

/** Whether two texts name the same repository: equal, with or without `.git` at the end. */
export function sameRepository(one: string, other: string): boolean {
  return withoutGitSuffix(one) === withoutGitSuffix(other);
}

/** The text without one slash and then `.git` at its end. */
export function withoutGitSuffix(text: string): string {
  const trimmed = text.endsWith('/') ? text.slice(0, -1) : text;
  return trimmed.endsWith('.git') ? trimmed.slice(0, -'.git'.length) : trimmed;
}

/** For behind an address: that its protocol is none of those allowed. */
export function notAllowed(protocol: GitProtocol, allowed: Iterable<string>): string {
  return `is reached by ${protocol}, which [agent] gitprotocols does not allow (${[...allowed].join(', ')})`;
}

/** An error that names an address, without its credentials, and says what is wrong with it. */
export function refusal(text: string, reason: string): CodedError {
  return new CodedError('git-address', `git address ${JSON.stringify(withoutCredentials(text))} ${reason}`);
}

function parseUrl(text: string, scheme: string, authority: string, path: string): GitAddress {
  const protocol = GIT_PROTOCOLS.find((known) => known === scheme);
  if (protocol === undefined) {
    throw refusal(text, `is reached by ${JSON.stringify(scheme)}; known are ${GIT_PROTOCOLS.join(', ')}`);
  }
  const parts = pathParts(text, path);
  if (protocol === 'file') {
    if (authority !== '') throw refusal(text, 'is a file address with a host in it; write file:///path');
    return { protocol, hasPassword: false, parts };
  }
  const at = authority.lastIndexOf('@');
  const [user, password] = splitOnce(authority.slice(0, Math.max(at, 0)), ':');
  if (at >= 0 && !USER.test(user)) throw refusal(text, 'has a user name that is not plain');
  const [, host = '', port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(authority.slice(at + 1)) ?? [];
  checkHost(text, host);
  if (port !== undefined && !/^[1-9]\d{0,4}$/.test(port)) throw refusal(text, 'has a port that is no number');
  return { protocol, hasPassword: password !== undefined, parts };
}

function parseScpLike(text: string, place: string, path: string): GitAddress {
  const at = place.indexOf('@');
  if (at < 0) throw refusal(text, 'is neither a URL, nor user@host:path, nor group/project');
  if (!USER.test(place.slice(0, at))) throw refusal(text, 'has a user name that is not plain');
  checkHost(text, place.slice(at + 1));
  return { protocol: 'ssh', hasPassword: false, parts: pathParts(text, path) };
}

function checkHost(text: string, host: string): void {
  if (host.startsWith('-')) throw refusal(text, 'has a host that looks like an option of ssh');
  if (!HOST.test(host)) throw refusal(text, `has no proper host name (${JSON.stringify(host)})`);
}

/** The parts of a path; one `/` in front and one behind are no parts. */
function pathParts(text: string, path: string): string[] {
  const parts = path.replace(/^\//, '').replace(/\/$/, '').split('/');
  for (const part of parts) {
    if (part === '..' || part === '.') throw refusal(text, `has "${part}" in its path`);
    if (part === '') throw refusal(text, 'has an empty part in its path');
    if (part.startsWith('-')) throw refusal(text, 'has a part in its path that looks like an option');
    if (!PATH_PART.test(part)) {
      throw refusal(text, `has a part in its path that is not plain (${JSON.stringify(part)})`);
    }
  }
  return parts;
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
