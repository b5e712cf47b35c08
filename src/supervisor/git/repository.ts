import { CodedError } from '../../shared/coded-error.js';
import { withoutCredentials } from '../log/credentials.js';
import { type GitAddress, notAllowed, parseGitAddress, refusal, withoutGitSuffix } from './git-address.js';
import type { GitProtocol } from './git-protocol.js';

/** Where a plugin comes from. */
export interface Repository {
  /** Last part of the path without `.git`: a plain file name. */
  readonly project: string;
  /** What git is given. */
  readonly address: string;
}

/**
 * Makes the address that git is given from the registry's text for a repository.
 * With a template (`https://git.example.com/%s.git`) the last two parts of the text's path go in for `%s`, so that
 * the operator decides where programs come from; without one a full address is used as it stands.
 * @throws CodedError `git-address` with a sentence that says why a text is refused
 */
export function resolveRepository(
  gitText: string,
  template: string,
  allowed: ReadonlySet<GitProtocol>,
): Repository {
  const wanted = parseGitAddress(gitText);
  if (wanted.hasPassword) {
    throw refusal(
      gitText,
      'carries a password; leave it out of the registry, [agent] git can name a place with access',
    );
  }
  const project = projectOf(wanted, gitText);
  const address = template === '' ? gitText : fillTemplate(template, groupOf(wanted, gitText), project);
  const { protocol } = template === '' ? wanted : parseGitAddress(address);
  if (protocol === undefined) {
    throw refusal(
      gitText,
      'names no host; set [agent] git to a template such as https://git.example.com/%s.git',
    );
  }
  if (!allowed.has(protocol)) throw refusal(address, notAllowed(protocol, allowed));
  return { project, address };
}

/**
 * The protocols that repositories may be fetched by: those of `[agent] gitprotocols`, the one that the operator's
 * own template names, and `file` when the registry itself is a document on this machine.
 */
export function allowedProtocols(settings: {
  readonly protocols: readonly GitProtocol[];
  readonly template: string;
  readonly registryAddress: string;
}): ReadonlySet<GitProtocol> {
  const allowed = new Set(settings.protocols);
  if (settings.registryAddress.startsWith('file:')) allowed.add('file');
  const protocol = settings.template === '' ? undefined : templateProtocol(settings.template);
  if (protocol !== undefined) allowed.add(protocol);
  return allowed;
}

/** True for a text that makes an address of every `group/project`. */
export function isTemplate(text: string): boolean {
  try {
    return templateProtocol(text) !== undefined;
  } catch (error) {
    if (error instanceof CodedError) return false;
    throw error;
  }
}

/** As the plugin store takes them: the name becomes a folder's. */
const NAME_MAX_CHARACTERS = 100;
const PLAIN_NAME = /^[A-Za-z0-9_][-_.A-Za-z0-9]*$/;

function templateProtocol(template: string): GitProtocol | undefined {
  return parseGitAddress(fillTemplate(template, 'group', 'project')).protocol;
}

function projectOf({ parts }: GitAddress, text: string): string {
  return plainName(withoutGitSuffix(parts.at(-1) ?? ''), 'project', text);
}

function groupOf({ parts }: GitAddress, text: string): string {
  const group = parts.at(-2);
  if (group === undefined)
    throw refusal(text, 'names no group: the template of [agent] git needs group/project');
  return plainName(group, 'group', text);
}

/** Project names become names of folders, so they must be plain ones. */
function plainName(name: string, what: string, text: string): string {
  if (name.length > NAME_MAX_CHARACTERS) {
    throw refusal(text, `has a ${what} name of more than ${NAME_MAX_CHARACTERS} characters`);
  }
  if (!PLAIN_NAME.test(name)) {
    throw refusal(
      text,
      `has a ${what} name (${JSON.stringify(name)}) that is not made of letters, digits, "-", "_" and ".", with a letter, digit or "_" first`,
    );
  }
  return name;
}

function fillTemplate(template: string, group: string, project: string): string {
  const [before, after, ...more] = template.split('%s');
  if (before === undefined || after === undefined || more.length > 0) {
    throw new CodedError('git-address', `[agent] git must hold "%s" once: ${withoutCredentials(template)}`);
  }
  return `${before}${group}/${project}${after}`;
}
