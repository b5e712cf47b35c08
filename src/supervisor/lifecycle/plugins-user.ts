import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import crossSpawn from 'cross-spawn';
import { CodedError } from '../../shared/coded-error.js';
import type { PluginUser } from '../../shared/messages.js';

/** Whom plugins run as, as far as the machine's user database says. */
export type PluginsUser =
  /** The agent's own user. */
  | { readonly kind: 'own' }
  | { readonly kind: 'other'; readonly user: PluginUser }
  /** No such user: the agent can start, but must refuse runs until there is one. */
  | { readonly kind: 'unknown'; readonly name: string };

/** A directory server that does not answer must not keep the agent from starting. */
const LOOKUP_TIMEOUT_MS = 10_000;

const NAME = /^[A-Za-z0-9_][-A-Za-z0-9_.@]*\$?$/;

/**
 * Finds the user of `[agent] pluginsuser`, and whether this process may start programs as that user at all.
 * @param name user name or number; empty for the agent's own user
 * @param allowRoot `[runner] allowroot`
 * @throws CodedError `pluginsuser` when plugins would run as root without leave, or as somebody the agent cannot become
 */
export function resolvePluginsUser(name: string, allowRoot: boolean): PluginsUser {
  const ownUid = process.geteuid?.() ?? 0;
  const found = name === '' ? undefined : lookUp(name);
  if (ownUid === 0) return resolveAsRoot(name, found, allowRoot);
  if (name === '' || found?.uid === ownUid) return { kind: 'own' };
  throw new CodedError(
    'pluginsuser',
    `[agent] pluginsuser is "${name}"${found === undefined ? ', a user that this machine does not know' : ''}, ` +
      `but the agent runs as ${ownName(ownUid)} and only root can start programs as another user; ` +
      'leave pluginsuser empty to run plugins as the user of the agent, or start the agent as root',
  );
}

function resolveAsRoot(name: string, found: PluginUser | undefined, allowRoot: boolean): PluginsUser {
  if (name !== '' && found === undefined) return { kind: 'unknown', name };
  if (found !== undefined && found.uid !== 0) return { kind: 'other', user: withGroups(found) };
  if (allowRoot) return { kind: 'own' };
  throw new CodedError(
    'pluginsuser',
    `[agent] pluginsuser is ${name === '' ? 'empty' : `"${name}"`}, so that plugins would run as root; ` +
      'name a user without rights, such as "nobody", or say [runner] allowroot = true if root is what you want',
  );
}

function lookUp(name: string): PluginUser | undefined {
  if (!NAME.test(name)) return undefined;
  return lookUpEverywhere(name) ?? lookUpInFile(name);
}

/** `getent` asks every source that the machine is set up with, a directory server too. */
function lookUpEverywhere(name: string): PluginUser | undefined {
  const result = crossSpawn.sync('getent', ['passwd', name], {
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
    timeout: LOOKUP_TIMEOUT_MS,
  });
  return result.status === 0 ? parseEntry(result.stdout.split('\n')[0] ?? '') : undefined;
}

/** For machines without `getent`. */
function lookUpInFile(name: string): PluginUser | undefined {
  let text: string;
  try {
    text = readFileSync('/etc/passwd', 'utf8');
  } catch {
    return undefined;
  }
  const entries = text.split('\n').map(parseEntry);
  return (
    entries.find((entry) => entry?.name === name) ?? entries.find((entry) => String(entry?.uid) === name)
  );
}

function parseEntry(line: string): PluginUser | undefined {
  const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
  if (name === '' || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), groups: [], home: home === '' ? '/' : home };
}

/** `id` asks every source of groups that the machine is set up with, and knows of the group of the entry too. */
function withGroups(user: PluginUser): PluginUser {
  const result = crossSpawn.sync('id', ['-G', user.name], {
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
    timeout: LOOKUP_TIMEOUT_MS,
  });
  if (result.status !== 0 || !/^\d+( \d+)*\s*$/.test(result.stdout)) return user;
  const groups = result.stdout.trim().split(' ').map(Number);
  return { ...user, groups: groups.filter((gid) => gid !== user.gid) };
}

function ownName(uid: number): string {
  try {
    return `"${userInfo().username}"`;
  } catch {
    // A user id without an entry, as in some containers.
    return `the user with id ${uid}`;
  }
}
