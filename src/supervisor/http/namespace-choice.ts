import { namespaceProblem } from '../../shared/namespace.js';
import { RequestError } from './errors.js';

/** Which namespaces `/post` takes. */
export interface NamespaceRule {
  /** `own`: only those that the host is in. */
  readonly namespaces: 'any' | 'own';
  /** In front of the namespace in a topic, which bounds its length. */
  readonly topicPrefix: string;
}

/**
 * The namespace that a request means: the given one, checked, or the only one of the host.
 * @throws RequestError `bad-namespace`
 */
export function chosenNamespace(
  given: string | undefined,
  own: readonly string[],
  topicPrefix: string,
): string {
  if (given === undefined) return onlyNamespace(own);
  const problem = namespaceProblem(given, topicPrefix);
  if (problem !== undefined) throw new RequestError('bad-namespace', problem);
  return given;
}

/** @throws RequestError `foreign-namespace` when the rule keeps posts to the host's own namespaces and this is none */
export function assertPostAllowed(namespace: string, own: readonly string[], rule: NamespaceRule): void {
  if (rule.namespaces === 'any' || own.includes(namespace)) return;
  throw new RequestError(
    'foreign-namespace',
    `this host is not in namespace ${JSON.stringify(namespace)} but in ${listed(own)}, and [http] namespaces = "own" allows no other`,
  );
}

function onlyNamespace(own: readonly string[]): string {
  const [only] = own;
  if (only !== undefined && own.length === 1) return only;
  const state = own.length === 0 ? 'is in no namespace' : `is in ${own.length} namespaces (${listed(own)})`;
  throw new RequestError('bad-namespace', `this host ${state}; say which one is meant with ns=<namespace>`);
}

const LISTED_MAX = 50;

function listed(own: readonly string[]): string {
  if (own.length === 0) return 'none';
  const names = own.slice(0, LISTED_MAX).join(', ');
  return own.length > LISTED_MAX ? `${names} and ${own.length - LISTED_MAX} more` : names;
}
